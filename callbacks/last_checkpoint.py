import re
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lightning_vi.errors import UserError


class Interval(NamedTuple):
    """A number of steps, or of seconds."""

    steps: float
    seconds: float

    @classmethod
    def of(cls, text: str) -> "Interval":
        """What `100 steps` or `5 minutes` says.

        Raises:
            UserError: if it says neither.
        """
        match = re.fullmatch(r"(\d+) steps?|(\d+(?:\.\d+)?) minutes?", text.strip())
        number = 0.0 if match is None else float(match[1] or match[2])
        if match is None or number == 0.0:
            raise UserError(f"checkpoint_every (={text}) must be a positive number of steps or minutes: '5 minutes'.")
        return cls(number, float("inf")) if match[1] else cls(float("inf"), 60.0 * number)


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt`: at the end of every epoch, at intervals inside it, and at SIGTERM.

    A run that goes on from it ends at the same bits as one that was not interrupted. So it is written between two
    steps of the optimizer, and where a validation is due behind that.

    At SIGTERM, of any process of a run, all of them end with the step under way, once the file is written.

    Args:
        every: The interval, `100 steps` or `5 minutes`: the most work that is lost when a run is killed. With
            accumulated gradients a step is that of the optimizer, for a GAN that of the discriminator.

    Raises:
        UserError: If it is no such interval.
    """

    def __init__(self, every: str = "5 minutes") -> None:
        super().__init__(filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
        self._interval = Interval.of(every)
        self._steps, self._time = 0, 0.0  # steps since the file was written, and when that was
        self._terminated = False  # this process has had the signal
        self._is_ending = False  # all processes end

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signal: Lightning's own way exchanges messages while others may be under way."""
        self._steps, self._time = 0, time.monotonic()
        self._terminated = self._is_ending = False
        if threading.current_thread() is threading.main_thread():  # no other may; Lightning takes it back at the end
            signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Write if it is time, unless gradients are being accumulated, or the epoch's end or a validation is next."""
        if (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches != 0:
            return
        self._steps += 1
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        # A run that goes on from a checkpoint written before a due validation would leave that out.
        if not trainer.is_last_batch and not trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher):
            self._write_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write if it is time and the epoch goes on."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking and not trainer.is_last_batch:
            self._write_if_due(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, and end if it is time for that."""
        self._write(trainer)
        self._end_if_terminated(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write, now that the last step has come to its end."""
        if self._is_ending and isinstance(exception, SIGTERMException):
            self._write(trainer)
            rank_zero_info(f"Ended by SIGTERM. {self.last_model_path} has all steps; --ckpt_path last goes on.")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: the end of the last epoch has written it."""

    def _write_if_due(self, trainer: Trainer) -> None:
        late = time.monotonic() - self._time >= self._interval.seconds
        if not _any_rank(trainer, late or self._steps >= self._interval.steps or self._terminated):
            return
        if not self._end_if_terminated(trainer):
            self._write(trainer)

    def _end_if_terminated(self, trainer: Trainer) -> bool:
        """Have Lightning end all processes behind this step, if one of them has had the signal."""
        self._is_ending = _any_rank(trainer, self._terminated)
        trainer._signal_connector.received_sigterm = self._is_ending
        return self._is_ending

    def _write(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            return
        path = str(Path(self.dirpath or "") / f"last{self.FILE_EXTENSION}")
        self.last_model_path = self.best_model_path = path
        self._save_checkpoint(trainer, path)
        self._steps, self._time = 0, time.monotonic()


def _any_rank(trainer: Trainer, decision: bool) -> bool:
    """Whether any process has decided so; they come here together."""
    return decision if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(decision, all=False)
