from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError


class RunLock(Callback):
    """Keeps other trainings out of a run's folder, and notices when the folder is deleted.

    It must be the first of all callbacks, since others write there from their `setup` on. The system releases the lock
    of a process that is killed; the empty file `lock` stays.
    """

    def __init__(self) -> None:
        self._lock: FileLock | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the lock.

        Raises:
            UserError: if another training has it.
        """
        if stage != "fit" or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            return
        folder = run_folder(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{folder}: another training is writing there. Wait for its end, or give this one another --name."
            ) from error
        self._lock = lock

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on in a folder that is no longer this run's.

        Raises:
            UserError: if it has been deleted.
        """
        if self._lock is not None and not run_folder(trainer).joinpath("lock").is_file():
            raise UserError(f"{run_folder(trainer)} was deleted during the training, and its checkpoints with it.")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Release the lock."""
        self._release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """See :meth:`teardown`."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
