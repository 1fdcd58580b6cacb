from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.trainer.states import TrainerFn

from lightning_vi.whole_file import whole

KEY = "metrics_file"
"""Under which a checkpoint has it."""


class MetricsFile(Callback):
    """Keeps `metrics.csv` in the checkpoint, so that a resumed run has what was logged before, and nothing twice.

    Lightning's logger starts a new file instead, and rewrites it in a way that a kill can cut short.
    """

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the file as it is now."""
        logger = _logger(trainer)
        if logger is not None:
            logger.save()
            path = Path(logger.experiment.metrics_file_path)
            checkpoint[KEY] = path.read_bytes().decode() if path.is_file() else ""

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """See `bring_back`."""
        if trainer.state.fn == TrainerFn.FITTING:
            bring_back(trainer, checkpoint)


def bring_back(trainer: Trainer, checkpoint: Mapping[str, Any]) -> None:
    """Make `metrics.csv` what it was when a checkpoint was written, and have the logger go on behind it."""
    logger, text = _logger(trainer), checkpoint.get(KEY)
    if logger is None or not text:
        return
    writer = logger.experiment  # which deletes the file if it is the first to ask
    with whole(Path(writer.metrics_file_path)) as part:
        part.write_bytes(text.encode())
    writer.metrics_keys = text.splitlines()[0].split(",")


def _logger(trainer: Trainer) -> CSVLogger | None:
    """The logger that writes `metrics.csv`, on the process that does so."""
    loggers = (each for each in trainer.loggers if isinstance(each, CSVLogger))
    return next(loggers, None) if trainer.is_global_zero else None
