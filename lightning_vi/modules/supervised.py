"""What Bayesian and point estimates of a supervised network share: evaluation, logging and optimizers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from lightning_vi.likelihoods import Likelihood, Standardised
from lightning_vi.metrics import Scores, scores_for
from lightning_vi.modules.epoch_record import EpochRecord, log_epoch, log_loss
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.modules.hyperparameters import keep_plain
from lightning_vi.modules.inputs import inputs_of
from lightning_vi.modules.optimization import optimization
from lightning_vi.modules.training_set import training_targets
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective
from lightning_vi.predictive import Predictive

Batch = tuple[Tensor, Tensor]
SPLITS = ("val", "test")


class SupervisedModule(LightningModule, ABC):
    """Trains and judges p(y | x).

    Logs ``train/loss``, ``train/nll``, ``train/kl`` and ``train/elbo`` once per epoch, in nats per training example
    and exact over the epoch (not a running mean), ``train/loss_step`` every ``log_every_n_steps`` steps, and the
    likelihood's scores as ``val/...`` and ``test/...``.

    A module that averages networks names in ``single`` what it is compared with: the headline score of its
    :meth:`single_predictives` is logged beside its own, e.g. ``val/error_mean`` for ``single = "mean"``.

    A run resumes inside an epoch too, see :class:`EpochRecord`.

    Args:
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        likelihood: p(y | f(x)).
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
    """

    single: str | None = None

    def __init__(
        self,
        input_shape: tuple[int, ...],
        target_size: int,
        likelihood: Likelihood,
        optimizer: OptimizerCallable,
        lr_scheduler: LRSchedulerCallable | None,
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.target_size = target_size
        self.likelihood = likelihood
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.scores = nn.ModuleDict({split: scores_for(likelihood, target_size) for split in SPLITS})
        self.single_scores = nn.ModuleDict(
            {split: scores_for(likelihood, target_size) for split in SPLITS if self.single is not None}
        )
        self._record = EpochRecord(figures=3)  # loss, NLL and KL
        self.terms: dict[str, Tensor] = {}  # see `FiniteSteps`
        keep_plain(self)

    @abstractmethod
    def objective(self, batch: Batch, batch_idx: int, epoch: Epoch) -> Objective:
        """The step's loss and its parts."""

    @abstractmethod
    def predictive(self, inputs: Tensor) -> Predictive:
        """p(y | x, D) for inputs (B, ...)."""

    def single_predictives(self, inputs: Tensor, predictive: Predictive) -> Iterable[Predictive]:
        """p(y | x) of single networks, scored together, for inputs (B, ...) whose :meth:`predictive` is given."""
        return ()

    def forward(self, inputs: Tensor) -> Predictive:
        """See :meth:`predictive`."""
        return self.predictive(inputs)

    @property
    def weights(self) -> int:
        """Number of weights of the network, or of all networks; parameters of the likelihood are none of them."""
        return sum(p.numel() for p in self.parameters()) - sum(p.numel() for p in self.likelihood.parameters())

    def configure_callbacks(self) -> list[Callback]:
        """See `EpochRecord` and `FiniteSteps`."""
        return [*self._record.unless_there(self.trainer), *FiniteSteps.unless_there(self.trainer)]

    def on_train_start(self) -> None:
        """Let a likelihood that works in units of the training targets know them."""
        if isinstance(self.likelihood, Standardised):
            self.likelihood.start(training_targets(self.trainer))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """See :meth:`objective`."""
        objective = self.objective(batch, batch_idx, self._record.epoch)
        self._record.add(objective.loss, objective.nll, objective.kl)
        self.terms = {"nll": objective.nll.detach(), "kl": objective.kl.detach()}
        log_loss(self, objective.loss)
        return objective.loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's objective: the steps' losses have the exact ELBO as their mean.

        An epoch that `max_steps` has cut short has no ELBO, and logs none.
        """
        means = self._record.means()
        if means is None:
            return
        log_epoch(self, self.training_figures(*means))

    def training_figures(self, loss: Tensor, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """What is logged of an epoch's mean loss, NLL and KL, shapes (), in nats per training example."""
        return {"loss": loss, "nll": nll, "kl": kl, "elbo": -nll - kl}

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Score a batch of the validation split; a second loader is the test split, for its curve over epochs."""
        return self._score(SPLITS[dataloader_idx], batch, self.predictive(batch[0]))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Score a batch of the test split."""
        return self._score("test", batch, self.predictive(batch[0]))

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Predictive:
        """p(y | x, D) for a batch, with or without targets."""
        return self.predictive(inputs_of(batch))

    def _score(self, split: str, batch: Batch, predictive: Predictive) -> dict[str, Any]:
        inputs, targets = batch
        _scores(self.scores, split).update(predictive, targets)
        for each in self.single_predictives(inputs, predictive):
            _scores(self.single_scores, split).update(each, targets)
        return {"predictive": predictive, "targets": targets}

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation split, and of the test split where it is watched."""
        for split in SPLITS[: len(self.trainer.num_val_batches)]:
            self._log_scores(split)

    def on_test_epoch_end(self) -> None:
        """Log the test split's scores."""
        self._log_scores("test")

    def _log_scores(self, split: str) -> None:
        scores = _scores(self.scores, split)
        values = scores.compute()
        scores.reset()
        if self.single is not None:
            single = _scores(self.single_scores, split)
            values[f"{single.headline}_{self.single}"] = single.compute()[single.headline]
            single.reset()
        # torchmetrics has gathered the counts of all devices; sync_dist says so to Lightning, which would warn.
        self.log_dict({f"{split}/{name}": value for name, value in values.items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler if there is one."""
        return optimization(self, self.optimizer, self.lr_scheduler)


def build_network(net: Network, input_shape: tuple[int, ...], target_size: int, likelihood: Likelihood) -> nn.Module:
    """The network itself, or what its class makes of the data's shape."""
    return net if isinstance(net, nn.Module) else net(tuple(input_shape), likelihood.output_size(target_size))


def _scores(scores: nn.ModuleDict, split: str) -> Scores:
    found = scores[split]
    assert isinstance(found, Scores)
    return found
