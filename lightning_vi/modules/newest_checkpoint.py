"""The newest checkpoint of a run, where one has to be named."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


def newest_checkpoint(trainer: Trainer) -> Path | None:
    """The newest file in the folders that the trainer saves to, be it of an earlier start; None if there is none."""
    savers = (each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint))
    folders = {Path(each.dirpath) for each in savers if each.dirpath is not None}
    files = [file for folder in folders for file in folder.glob("*.ckpt")]
    return max(files, key=lambda file: file.stat().st_mtime, default=None)
