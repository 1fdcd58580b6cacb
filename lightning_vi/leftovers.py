"""What a command leaves of a run that a user's mistake has ended before its first training step: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError

SETTINGS = ("config.yaml", "hparams.yaml")
"""What is written of a run before it begins."""


@contextmanager
def taken_back(trainer: Trainer) -> Iterator[None]:
    """A context in which a mistake takes back the folder that the `CSVLogger` has made for the trainer's run.

    A folder that was there before stays, and one that holds more than the run's settings.
    """
    logger = trainer.loggers[0] if trainer.loggers else None
    if not (isinstance(logger, CSVLogger) and trainer.is_global_zero):
        yield
        return
    root = Path(logger.root_dir)
    before = {each for each in (root, *root.parents) if each.is_dir()} | set(root.glob("*"))
    try:
        yield
    except (UserError, MisconfigurationException):
        if trainer.global_step == 0:
            _remove(run_folder(trainer), before)
        raise


def _remove(folder: Path, before: set[Path]) -> None:
    """Remove a run's folder and those above it that would be empty, but none that was there before."""
    inside = sorted(folder.rglob("*"), reverse=True)  # what a folder holds comes before the folder
    if any(not path.is_dir() and path.relative_to(folder).as_posix() not in SETTINGS for path in inside):
        return
    if folder not in before:
        for path in inside:
            remove = path.rmdir if path.is_dir() else path.unlink
            remove()
    for each in (folder, *folder.parents):
        if each in before or (each.is_dir() and any(each.iterdir())):
            return
        if each.is_dir():
            each.rmdir()
