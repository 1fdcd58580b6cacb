"""What Bayesian and point estimates of a supervised network share: evaluation, logging and optimizers."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI, LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from lightning_vi.likelihoods import Likelihood
from lightning_vi.metrics import Scores, scores_for
from lightning_vi.modules.random_state import random_state, restore_random_state
from lightning_vi.modules.training_set import epoch_of
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective
from lightning_vi.predictive import Predictive
from lightning_vi.schedules import CosineLR

Batch = tuple[Tensor, Tensor]
SPLITS = ("val", "test")


class SupervisedModule(LightningModule, ABC):
    """Trains and judges p(y | x).

    Logs ``train/loss``, ``train/nll``, ``train/kl`` and ``train/elbo`` once per epoch, in nats per training example
    and exact over the epoch (not a running mean), ``train/loss_step`` every ``log_every_n_steps`` steps, and the
    likelihood's scores as ``val/...`` and ``test/...``.

    A module that averages networks names in ``single`` what it is compared with: the headline score of its
    :meth:`single_predictives` is logged beside its own, e.g. ``val/error_mean`` for ``single = "mean"``.

    A checkpoint keeps PyTorch's global random state, so that a resumed run goes on with the next dropout mask. With
    several devices it is that of rank 0 alone; the masks of the others are drawn afresh.

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
        self._epoch: Epoch | None = None
        # Of the steps of this epoch: the sums of NLL and KL, and their number; saved, to resume inside an epoch.
        self._totals = torch.zeros(2)
        self._steps = 0
        # Of the checkpoint that training goes on from, until it does.
        self._random_state: dict[str, Tensor] | None = None
        self._keep_plain_hyperparameters()

    def _keep_plain_hyperparameters(self) -> None:
        """Keep what a checkpoint can hold as data: the command line's settings, or plain arguments from Python."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")  # dropped below
            self.save_hyperparameters()
        if "_class_path" not in self.hparams:
            self.save_hyperparameters(ignore=[name for name, value in self.hparams.items() if not _is_plain(value)])

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

    def on_train_start(self) -> None:
        """Take N and M from the trainer, and the random state from the checkpoint: setting up has drawn numbers."""
        self._epoch = epoch_of(self.trainer)
        self._totals = self._totals.to(self.device)
        if self._random_state is not None and self.global_rank == 0:
            restore_random_state(self._random_state, self.device)
        self._random_state = None

    def on_train_epoch_start(self) -> None:
        """Start the epoch's totals; Lightning leaves this out where a run resumes inside an epoch."""
        self._totals = torch.zeros_like(self._totals)
        self._steps = 0

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """See :meth:`objective`."""
        assert self._epoch is not None
        objective = self.objective(batch, batch_idx, self._epoch)
        self._totals += torch.stack((objective.nll, objective.kl)).detach()
        self._steps += 1
        # Lightning's log() costs a tenth of a small step, so it is called only when its value is written.
        if (self.global_step + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]  # set at run time
            self.log("train/loss_step", objective.loss.detach())
        return objective.loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's objective: the steps' losses have the exact ELBO as their mean.

        An epoch that `max_steps` has cut short has no ELBO, and logs none.
        """
        assert self._epoch is not None
        if self._steps < self._epoch.batches:
            return
        nll, kl = self._totals / self._epoch.batches
        values = self.training_figures(nll, kl)
        self.log_dict({f"train/{name}": value for name, value in values.items()}, sync_dist=True)

    def training_figures(self, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """What is logged of an epoch's mean NLL and KL, shapes (), in nats per training example."""
        return {"loss": nll + kl, "nll": nll, "kl": kl, "elbo": -nll - kl}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the totals of the epoch so far, and the random state."""
        checkpoint["epoch_totals"] = {"sums": self._totals, "steps": self._steps}
        checkpoint["random_state"] = random_state(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with them where training does; weights that are only used, or of another origin, need neither."""
        if self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING:
            totals = checkpoint.get("epoch_totals", {"sums": torch.zeros(2), "steps": 0})
            self._totals, self._steps = totals["sums"], totals["steps"]
            self._random_state = checkpoint.get("random_state")

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Score a batch of the validation split; a second loader is the test split, for its curve over epochs."""
        return self._score(SPLITS[dataloader_idx], batch, self.predictive(batch[0]))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Score a batch of the test split."""
        return self._score("test", batch, self.predictive(batch[0]))

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Predictive:
        """p(y | x, D) for a batch, with or without targets."""
        return self.predictive(batch if isinstance(batch, Tensor) else batch[0])

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
        optimizer = self.optimizer(self.parameters())
        if self.lr_scheduler is None:
            return optimizer
        scheduler = self.lr_scheduler(optimizer)
        if isinstance(scheduler, CosineLR) and self._trainer is not None:
            scheduler.epochs = self._trainer.max_epochs
        return LightningCLI.configure_optimizers(self, optimizer, scheduler)


def build_network(net: Network, input_shape: tuple[int, ...], target_size: int, likelihood: Likelihood) -> nn.Module:
    """The network itself, or what its class makes of the data's shape."""
    return net if isinstance(net, nn.Module) else net(tuple(input_shape), likelihood.output_size(target_size))


def _scores(scores: nn.ModuleDict, split: str) -> Scores:
    found = scores[split]
    assert isinstance(found, Scores)
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
