from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError


class DeletedFolder(Callback):
    """Ends a training whose folder has been deleted; it would go on in a new one that lacks most of its files."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Note the folder, making it."""
        if stage == "fit" and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            self._folder = run_folder(trainer)
            self._folder.mkdir(parents=True, exist_ok=True)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Look for it.

        Raises:
            UserError: if it is no longer there.
        """
        if self._folder is not None and not self._folder.is_dir():
            raise UserError(f"{self._folder} was deleted during the training, and its checkpoints with it.")
