"""What Bayesian and point estimates of a supervised network share: evaluation, logging and optimizers."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from lightning_vi.chunked_outputs import chunked_outputs
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.evaluating import evaluating
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
from lightning_vi.predictive import Drawn, Draws, Predictive

Batch = tuple[Tensor, Tensor]
SPLITS = ("val", "test")


class SupervisedModule(LightningModule, ABC):
    """Trains and judges p(y | x).

    Logs ``train/loss``, ``train/nll``, ``train/kl`` and ``train/elbo`` once per epoch, in nats per training example
    and exact over the epoch (not a running mean), ``train/loss_step`` every ``log_every_n_steps`` steps, and the
    likelihood's scores as ``val/...`` and ``test/...``.

    A module that averages networks names in ``single`` what it is compared with: the headline score of its
    :meth:`single_predictives` is logged beside its own, e.g. ``val/error_mean`` for ``single = "mean"``. One whose
    networks are random sets ``draws``, for testing and predicting, and ``val_draws``, for the validation that recurs
    during training.

    A run resumes inside an epoch too, see :class:`EpochRecord`.

    Args:
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        likelihood: p(y | f(x)).
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
    """

    single: str | None = None
    draws: int | None = None
    val_draws: int | None = None

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
    def drawn(self, draws: Draws, seed: int | None = None) -> Iterator[Drawn]:
        """The networks that a prediction averages, drawn when they are needed.

        Args:
            draws: Number of draws, or "mean".
            seed: Of the draws; by default that of the tests.

        Raises:
            UserError: If there is nothing to draw.
        """

    @property
    @abstractmethod
    def can_draw(self) -> bool:
        """Whether :meth:`drawn` can draw, or has but the mean of the weights."""

    @torch.no_grad()
    def predictive(self, inputs: Tensor, draws: Draws | None = None) -> Predictive:
        """What :meth:`predict` gives, for a batch on this module's device: as a step needs it, in evaluation mode."""
        return Predictive(self.likelihood, torch.cat([network(inputs) for network in self.drawn(self._chosen(draws))]))

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, draws: Draws | None = None, seed: int | None = None, memory: int = 2**30
    ) -> Predictive:
        """p(y | x, D) for any number of inputs.

        The draws are the same for all inputs and on every device, however the inputs are cut into chunks, which changes
        outputs by rounding alone. Dropout that is not drawn is off, normalisation uses its running statistics. The
        module is left as it was, and so are all random streams.

        Args:
            inputs: Shape (B, *input_shape), on any device.
            draws: Number of draws, of each member of an ensemble; "mean" for the weights' mean, the single network of
                a point estimate without dropout. By default what a test takes.
            seed: Of the draws, in [0, 2^32); by default the draws are those of a test.
            memory: Bytes that a chunk may take on the module's device, weights excepted. The result comes on top, on
                the CPU: M numbers for each output of each input.

        Returns:
            The predictive distribution on the CPU. Training that goes on does not change it.

        Raises:
            UserError: If the inputs do not fit, or an argument is out of its range.
        """
        name = type(self).__name__
        if inputs.shape[1:] != self.input_shape:
            raise UserError(
                f"{name}: inputs (={tuple(inputs.shape)}) must have the shape (B, "
                f"{', '.join(map(str, self.input_shape))}), B of them; give a single one as inputs[None]."
            )
        if seed is not None and not 0 <= seed < 2**32:
            raise UserError(f"{name}: seed (={seed}) must lie in [0, 2^32).")
        require_at_least(name, 1, memory=memory)
        assert isinstance(self.dtype, torch.dtype)
        with evaluating(self):
            networks = self.drawn(self._chosen(draws), seed)
            outputs = chunked_outputs(networks, inputs, memory, self.device, self.dtype)
        return Predictive(copy.deepcopy(self.likelihood).cpu().requires_grad_(False), outputs)

    def _chosen(self, draws: Draws | None) -> Draws:
        chosen = self.draws if draws is None else draws
        if chosen is None or chosen == "mean":
            return "mean"
        if not isinstance(chosen, int) or chosen < 1:
            raise UserError(f"{type(self).__name__}: draws (={chosen!r}) must be at least 1, or 'mean'.")
        return chosen

    def single_predictives(self, inputs: Tensor, predictive: Predictive) -> Iterable[Predictive]:
        """p(y | x) of single networks, scored together, for inputs (B, ...) whose :meth:`predictive` is given.

        By default that of the one network at the weights' mean.
        """
        yield self.predictive(inputs, "mean")

    def forward(self, inputs: Tensor) -> Predictive:
        """See :meth:`predictive`."""
        return self.predictive(inputs)

    @property
    def weights(self) -> int:
        """Number of weights of the network, or of all networks; parameters of the likelihood are none of them."""
        return sum(p.numel() for p in self.parameters()) - sum(p.numel() for p in self.likelihood.parameters())

    @property
    def minimised(self) -> str:
        """What the loss is, in words, as the table of results and `results.json` have it."""
        return "negative ELBO"

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
        """Score a batch of the validation split; a second loader is the test split, for its curve over epochs.

        During training, where it recurs, with fewer draws.
        """
        draws = self.val_draws if self.trainer.state.fn == TrainerFn.FITTING else self.draws
        return self._score(SPLITS[dataloader_idx], batch, self.predictive(batch[0], draws))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Score a batch of the test split."""
        return self._score("test", batch, self.predictive(batch[0]))

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Predictive:
        """p(y | x, D) for a batch, with or without targets."""
        return self.predictive(inputs_of(batch))

    def _score(self, split: str, batch: Batch, predictive: Predictive) -> dict[str, Any]:
        inputs, targets = batch
        _scores(self.scores, split).update(predictive, targets)
        if self.single is not None:
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
