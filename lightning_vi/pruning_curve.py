"""Scores on the test split against the number of weights removed, in one pass over the data."""

from collections.abc import Sequence
from typing import NamedTuple

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.metrics import Scores, scores_for
from lightning_vi.modules import BayesByBackprop
from lightning_vi.modules.supervised import Batch
from lightning_vi.predictive import Predictive
from lightning_vi.pruning import keeping, kept_weights


class Pruned(NamedTuple):
    """A network with some of its weights removed.

    Attributes:
        removed: Number of weights that are 0.
        drawn: Scores by name, of probabilities averaged over weight draws.
        at_mean: Scores by name, of the single network at the posterior mean.
    """

    removed: int
    drawn: dict[str, float]
    at_mean: dict[str, float]


def pruning_curve(
    trainer: Trainer, model: BayesByBackprop, datamodule: LightningDataModule, counts: Sequence[int], draws: int
) -> list[Pruned]:
    """Score a network with ever fewer weights, without changing it.

    The draws are those of a test, and the same for all numbers of weights.

    Args:
        trainer: Runs the test.
        model: The network.
        datamodule: Gives the test split.
        counts: Numbers of weights to remove, lowest signal-to-noise first.
        draws: Number of weight draws of the predictive distribution.

    Raises:
        UserError: If there are no test data.
    """
    test = _PruningTest(model, counts, draws)
    trainer.test(test, datamodule=datamodule, verbose=False)
    if not test.curve:
        raise UserError(f"prune: {type(datamodule).__name__} has no data for a test.")
    return test.curve


class _PruningTest(LightningModule):  # private, so that the command line does not offer it as a model
    def __init__(self, model: BayesByBackprop, counts: Sequence[int], draws: int) -> None:
        super().__init__()
        self.model = model
        self.counts = counts
        self.draws = draws
        self.curve: list[Pruned] = []
        self.kept: list[Tensor | None] = []
        self.drawn = nn.ModuleList(scores_for(model.likelihood, model.target_size) for _ in counts)
        self.at_mean = nn.ModuleList(scores_for(model.likelihood, model.target_size) for _ in counts)

    def setup(self, stage: str) -> None:
        self.model.setup(stage)

    def on_test_start(self) -> None:
        self.kept = [kept_weights(self.model.model, count) for count in self.counts]

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        inputs, targets = batch
        for kept, drawn, at_mean in zip(self.kept, self.drawn, self.at_mean, strict=True):
            with keeping(self.model.model, kept):
                _update(drawn, self.model.predictive(inputs, self.draws), targets)
                _update(at_mean, self.model.predictive(inputs, "mean"), targets)

    def on_test_epoch_end(self) -> None:
        rows = zip(self.counts, self.drawn, self.at_mean, strict=True)
        self.curve = [Pruned(count, _compute(drawn), _compute(at_mean)) for count, drawn, at_mean in rows]


def _update(scores: nn.Module, predictive: Predictive, targets: Tensor) -> None:
    assert isinstance(scores, Scores)
    scores.update(predictive, targets)


def _compute(scores: nn.Module) -> dict[str, float]:
    assert isinstance(scores, Scores)
    return {name: float(value) for name, value in scores.compute().items()}
