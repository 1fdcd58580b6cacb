import math
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor

LINE_SECONDS = 5.0  # without a terminal
METRICS = {
    "val/error": "error {:.2f} %",
    "val/rmse": "RMSE {:.4g}",
    "val/mse": "squared error {:.4g}",
    "train/elbo": "ELBO {:.4f} nats",
    "train/tempered_not_elbo": "tempered (not the ELBO) {:.4f} nats",
    "train/real": "D(x) {:.3f}",
    "train/fake": "D(G(z)) {:.3f}",
}


class ProgressBar(lightning_callbacks.ProgressBar):
    """One bar over the whole run, with the epoch and what tells how training goes, such as error or ELBO.

    Metrics are read when an epoch or a validation has ended, and the screen is written at most every
    `refresh_seconds`: a step costs one look at the clock. Where standard output is not a terminal, training
    prints a line for the first epoch, for the last, and every few seconds in between; other stages print nothing.

    Args:
        refresh_seconds: Shortest time between two writes to the screen.
    """

    def __init__(self, refresh_seconds: float = 0.5) -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds
        self._enabled = True
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._next_refresh = 0.0
        self._epochs = 0  # number of the epoch that ended last in this run
        self._epoch_start = 0.0
        self._seconds = 0.0
        self._next_line = 0.0
        self._done = 0.0

    def disable(self) -> None:
        """See `lightning.pytorch.callbacks.ProgressBar.disable`."""
        self._enabled = False

    def enable(self) -> None:
        """See `lightning.pytorch.callbacks.ProgressBar.enable`."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar, at the checkpoint's position if the run is resumed."""
        self._epochs, self._next_line = 0, 0.0
        self._open("Training", 1.0 if _ends(trainer) else None, _trained(trainer))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch before, whose metrics a module may log as late as in its `on_train_epoch_end`."""
        self._report(trainer)
        self._epoch_start = time.monotonic()
        self._set(description=_epoch(trainer, trainer.current_epoch + 1))

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Advance, if it is time."""
        if time.monotonic() >= self._next_refresh:
            self._show(_trained(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the report to the next hook."""
        self._epochs = trainer.current_epoch + 1
        self._seconds = time.monotonic() - self._epoch_start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the last epoch and leave the bar where it is."""
        self._next_line = 0.0
        self._report(trainer)
        self._finish(_trained(trainer))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open a bar for `trainer.validate`."""
        if trainer.state.fn != "fit":
            self._open("Validating", _total(trainer.num_val_batches), 0)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Advance, if it is time."""
        if trainer.state.fn != "fit":
            self._advance()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the new error."""
        if trainer.state.fn != "fit":
            self._finish(self._done)
        elif not trainer.sanity_checking:
            self._set(metrics=_text(trainer.callback_metrics))

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        self._open("Testing", _total(trainer.num_test_batches), 0)

    def on_test_batch_end(self, *_: Any) -> None:
        """Advance, if it is time."""
        self._advance()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar where it is."""
        self._finish(self._done)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        self._open("Predicting", _total(trainer.num_predict_batches), 0)

    def on_predict_batch_end(self, *_: Any) -> None:
        """Advance, if it is time."""
        self._advance()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar where it is."""
        self._finish(self._done)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._close()

    def _report(self, trainer: Trainer) -> None:
        """Metrics of the epoch that has ended: into the bar, or on a line of its own without one."""
        if self._epochs == 0 or not self._enabled:
            return
        text = _text(trainer.callback_metrics)
        self._set(metrics=text)
        if self._progress is None and time.monotonic() >= self._next_line:
            print(f"{_epoch(trainer, self._epochs)}: {text} ({self._seconds:.1f} s)", flush=True)
            self._next_line = time.monotonic() + LINE_SECONDS

    def _open(self, description: str, total: float | None, completed: float) -> None:
        console = Console()
        self._done = completed
        if not self._enabled or not console.is_terminal or console.is_dumb_terminal:
            self._next_refresh = math.inf
            return
        self._close()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[metrics]}"),
            console=console,
            auto_refresh=False,
        )
        self._task = self._progress.add_task(description, total=total, metrics="")
        self._progress.update(self._task, completed=completed)
        self._progress.start()
        self._next_refresh = 0.0

    def _set(self, **fields: str) -> None:
        """Change texts; the next write to the screen shows them."""
        if self._progress is not None:
            self._progress.update(self._task, **fields)  # type: ignore[arg-type]  # its own fields are all text

    def _advance(self) -> None:
        self._done += 1
        if time.monotonic() >= self._next_refresh:
            self._show(self._done)

    def _show(self, completed: float) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=completed, refresh=True)
            self._next_refresh = time.monotonic() + self.refresh_seconds

    def _finish(self, completed: float) -> None:
        self._show(completed)
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _text(metrics: Mapping[str, Tensor]) -> str:
    return ", ".join(form.format(float(metrics[name])) for name, form in METRICS.items() if name in metrics)


def _epoch(trainer: Trainer, number: int) -> str:
    return f"Epoch {number}/{trainer.max_epochs}" if _epochs(trainer) else f"Epoch {number}"


def _epochs(trainer: Trainer) -> int:
    """`max_epochs`, 0 for no bound."""
    return max(trainer.max_epochs or 0, 0)


def _ends(trainer: Trainer) -> bool:
    """Whether it is known when training ends."""
    return trainer.max_steps >= 0 or (_epochs(trainer) > 0 and math.isfinite(trainer.num_training_batches))


def _trained(trainer: Trainer) -> float:
    """The share of the training that is done, in [0, 1]; the number of batches where nobody knows its end.

    `max_steps` counts steps of the optimizer, and of a GAN those of its generator, in which there may be several
    batches.
    """
    batches = trainer.fit_loop.total_batch_idx + 1
    if not _ends(trainer):
        return batches
    shares = [0.0]
    if _epochs(trainer):
        shares.append(batches / max(_epochs(trainer) * trainer.num_training_batches, 1))
    if trainer.max_steps >= 0:
        shares.append(trainer.global_step / max(trainer.max_steps, 1))
    return max(shares)


def _total(batches: list[int | float] | int | float) -> float | None:
    total = sum(batches) if isinstance(batches, list) else batches
    return total if math.isfinite(total) else None
