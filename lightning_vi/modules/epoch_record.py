"""What a module notes of the steps of an epoch, in the checkpoint too, so that a run resumes inside an epoch."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_vi.modules.random_state import random_state, restore_random_state
from lightning_vi.modules.training_set import epoch_of
from lightning_vi.objectives import Epoch


class EpochRecord(Callback):
    """The sums of some figures over the steps of an epoch, their number, and the random state to go on from.

    A module makes one and brings it along, by what its `configure_callbacks` returns: :meth:`unless_there`.

    A checkpoint keeps PyTorch's global random state, which dropout masks and latent variables are drawn from. With
    several devices it is that of rank 0 alone; each of the others has a stream of its own, that starts afresh.

    Args:
        figures: Number of figures.
    """

    def __init__(self, figures: int) -> None:
        self._epoch: Epoch | None = None
        self._sums = torch.zeros(figures)
        self._steps = 0
        self._left_out = 0  # of these steps
        self._marked = self._sums, 0
        # Of the checkpoint that training goes on from, until it does.
        self._random_state: dict[str, Tensor] | None = None

    @property
    def epoch(self) -> Epoch:
        """How the training set is cut into steps; known from the start of training on."""
        assert self._epoch is not None
        return self._epoch

    def unless_there(self, trainer: Trainer) -> list[Callback]:
        """The callbacks to bring along: Lightning would tell the user of one that takes its own place."""
        return [] if self in trainer.callbacks else [self]  # type: ignore[attr-defined]  # set at run time

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take N and M from the trainer, and this rank's random state: setting up has drawn numbers."""
        self._epoch = epoch_of(trainer)
        self._sums = self._sums.to(pl_module.device)
        if self._steps >= self._epoch.batches:  # of a checkpoint behind an epoch's last step; the next one starts here
            self._clear()
        if trainer.global_rank > 0:
            # All ranks were given the same seed, and would draw the same masks and latent variables.
            stream = np.random.SeedSequence(torch.initial_seed(), spawn_key=(trainer.global_rank, trainer.global_step))
            torch.manual_seed(int(stream.generate_state(1, np.uint64)[0]))
        elif self._random_state is not None:
            restore_random_state(self._random_state, pl_module.device)
        self._random_state = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an epoch; Lightning does not ask for it where a run resumes inside one or behind its last step."""
        self._epoch = epoch_of(trainer)  # anew, since `GradientAccumulationScheduler` changes its steps
        self._clear()

    def _clear(self) -> None:
        self._sums = torch.zeros_like(self._sums)
        self._steps = self._left_out = 0

    def add(self, *figures: Tensor) -> None:
        """Note a step's figures, each of shape ()."""
        self._sums = self._sums + torch.stack(figures).detach()
        self._steps += 1

    def mark(self) -> None:
        """Remember the sums, which :meth:`leave_out` goes back to."""
        self._marked = self._sums, self._steps

    def leave_out(self) -> None:
        """Take back the figures of all steps since the last :meth:`mark`, which have changed nothing."""
        self._sums, marked = self._marked
        self._left_out += self._steps - marked

    def means(self) -> Tensor | None:
        """Means over the epoch's steps, those left out excepted, shape (figures,).

        None for an epoch that `max_steps` has cut short, or of which all steps are left out.
        """
        if self._steps < self.epoch.batches or self._steps == self._left_out:
            return None
        return self._sums / self.epoch.scale * (self._steps / (self._steps - self._left_out))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put it into a checkpoint, with the figures of all devices; so every process comes here."""
        sums = trainer.strategy.reduce(self._sums.clone(), reduce_op="mean")
        checkpoint["epoch_totals"] = {"sums": sums, "steps": self._steps, "left_out": self._left_out}
        checkpoint["random_state"] = random_state(pl_module.device)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with it where training does; a checkpoint of another origin has none of it."""
        if trainer.state.fn == TrainerFn.FITTING:
            totals = checkpoint.get("epoch_totals", {"sums": torch.zeros_like(self._sums), "steps": 0})
            self._sums, self._steps = totals["sums"], totals["steps"]
            self._left_out = totals.get("left_out", 0)  # older checkpoints have none
            self._random_state = checkpoint.get("random_state")


def log_loss(module: LightningModule, loss: Tensor) -> None:
    """Log a step's loss, shape (), as ``train/loss_step``."""
    # Lightning's log() costs a tenth of a small step, so it is called only when its value is written.
    every = module.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set at run time
    if every > 0 and (module.global_step + 1) % every == 0:
        module.log("train/loss_step", loss.detach())
