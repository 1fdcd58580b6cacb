"""What a module notes of the steps of an epoch, in the checkpoint too, so that a run resumes inside an epoch."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_vi.modules.random_state import fresh_random_state, random_states, restore_random_state
from lightning_vi.modules.ranks import of_all_ranks
from lightning_vi.modules.training_set import epoch_of
from lightning_vi.objectives import Epoch


class EpochRecord(Callback):
    """The sums of some figures over the steps of an epoch, their number, and what else a run needs to go on.

    A module makes one and brings it along, by what its `configure_callbacks` returns: :meth:`unless_there`.

    A checkpoint keeps, for each device, the sums and PyTorch's global random state, which dropout masks and latent
    variables are drawn from; and the metrics that monitors read, which Lightning's own forgets. With another number of
    devices a run goes on with the mean of the sums; the first device has its random state, the others start afresh.

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
        self._totals: dict[str, Any] | None = None
        self._random_states: list[dict[str, Tensor]] | None = None
        self._metrics: dict[str, Tensor] = {}

    @property
    def epoch(self) -> Epoch:
        """How the training set is cut into steps; known from the start of training on."""
        assert self._epoch is not None
        return self._epoch

    def unless_there(self, trainer: Trainer) -> list[Callback]:
        """The callbacks to bring along: Lightning would tell the user of one that takes its own place."""
        return [] if self in trainer.callbacks else [self]  # type: ignore[attr-defined]  # set at run time

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take N and M from the trainer, and what a checkpoint holds: setting up has drawn numbers."""
        self._epoch = epoch_of(trainer)
        rank, totals, states = trainer.global_rank, self._totals, self._random_states
        if totals is not None:
            sums = totals["sums"]
            self._sums = sums[rank] if len(sums) == trainer.world_size else sums.mean(dim=0)
            self._steps, self._left_out = totals["steps"], totals["left_out"]
        self._sums = self._sums.to(pl_module.device)
        if self._steps >= self._epoch.batches:  # of a checkpoint behind an epoch's last step; the next one starts here
            self._clear()
        if states is not None and (rank == 0 or len(states) == trainer.world_size):
            restore_random_state(states[rank], pl_module.device)
        elif rank > 0:
            # All ranks were given the same seed, and would draw the same masks and latent variables.
            fresh_random_state(rank, trainer.global_step)
        trainer.callback_metrics.update({name: each.to(pl_module.device) for name, each in self._metrics.items()})
        if trainer.fit_loop.resumed_on_epoch_end:
            _catch_up_with_plateaus(trainer, pl_module)
        self._totals = self._random_states = None
        self._metrics = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an epoch; Lightning does not ask for it where a run resumes inside one or behind its last step."""
        self._epoch = epoch_of(trainer)  # anew, since `GradientAccumulationScheduler` changes its steps
        self._clear()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the resumption of an epoch, or Lightning would not step the schedules that follow a score behind it."""
        trainer.fit_loop._restarting = False

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
        """Put it into a checkpoint, for all devices; so every process comes here."""
        sums = of_all_ranks(trainer, self._sums)
        checkpoint["epoch_sums"] = {"sums": sums, "steps": self._steps, "left_out": self._left_out}
        checkpoint["random_states"] = random_states(trainer)
        checkpoint["callback_metrics"] = {name: each.detach().cpu() for name, each in trainer.callback_metrics.items()}
        checkpoint["stopped_early"] = _has_stopped_early(trainer)
        if self._epoch is not None and 0 < self._steps < self._epoch.batches:
            _leave_open(checkpoint["loops"]["fit_loop"]["epoch_progress"])

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with it where training does; a checkpoint of another origin has none of it."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._totals = checkpoint.get("epoch_sums")
            self._random_states = checkpoint.get("random_states")
            self._metrics = checkpoint.get("callback_metrics", {})
            self._clear()


def _leave_open(progress: dict[str, dict[str, int]]) -> None:
    """Count an epoch that `max_steps` has cut short as one under way: a longer run goes on inside it."""
    for each in progress.values():
        if each["processed"] == each["ready"]:
            each["processed"] -= 1
            each["completed"] = each["processed"]


def _has_stopped_early(trainer: Trainer) -> bool:
    """Whether `EarlyStopping` ends training here, which a resumed run would notice an epoch too late."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set at run time
    stops = [each for each in callbacks if isinstance(each, EarlyStopping)]
    stopped = any(each.stopped_epoch == trainer.current_epoch for each in stops)
    return stopped and trainer.should_stop and trainer.fit_loop._can_stop_early


def _catch_up_with_plateaus(trainer: Trainer, module: LightningModule) -> None:
    """Step the schedules that follow a score, which Lightning does behind the checkpoint of an epoch's end."""
    for config in trainer.lr_scheduler_configs:
        is_due = config.reduce_on_plateau and config.interval == "epoch"
        if is_due and trainer.current_epoch % config.frequency == 0 and config.monitor in trainer.callback_metrics:
            module.lr_scheduler_step(config.scheduler, trainer.callback_metrics[config.monitor])
            trainer.fit_loop.epoch_loop.scheduler_progress.increment_by(1)  # as Lightning counts it


def log_loss(module: LightningModule, loss: Tensor) -> None:
    """Log a step's loss, shape (), as ``train/loss_step``."""
    trainer = module.trainer
    # Lightning's log() costs a tenth of a small step, and its line would be written behind a checkpoint of the step.
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # set at run time
    steps = trainer.is_last_batch or (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0
    if every > 0 and steps and (module.global_step + 1) % every == 0:
        _write(trainer, {"train/loss_step": loss.detach()}, module.global_step)


def log_epoch(module: LightningModule, figures: dict[str, Tensor]) -> None:
    """Log an epoch's figures, each of shape () and a mean over devices, as ``train/...``.

    Now: a line that Lightning writes for an epoch comes behind the checkpoint of its end.
    """
    names = {f"train/{name}": value for name, value in figures.items()}
    module.log_dict(names, sync_dist=True, logger=False)
    metrics = module.trainer.callback_metrics  # every process reads them, since reading takes the mean
    step = module.trainer.fit_loop.epoch_loop._batches_that_stepped - 1  # as Lightning's own line
    _write(module.trainer, {name: metrics[name] for name in names}, step)


def _write(trainer: Trainer, figures: dict[str, Tensor], step: int) -> None:
    line = {name: float(value) for name, value in figures.items()} | {"epoch": trainer.current_epoch}
    for logger in trainer.loggers:
        logger.log_metrics(line, step)
