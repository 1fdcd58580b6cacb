"""One training at a time in a run's folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout
from lightning.pytorch import Trainer

from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError


@contextmanager
def run_lock(trainer: Trainer) -> Iterator[None]:
    """A context in which no other process trains in the folder of this run.

    It must be entered before the trainer starts, since loggers remove what they find in the folder. The system releases
    the lock of a process that is killed. The empty file of the lock stays, as `.version_0.lock` beside the folder:
    within it, loggers would take the folder for another run's.

    Raises:
        UserError: if another process trains there.
    """
    if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
        yield
        return
    if trainer.loggers and trainer.loggers[0].version is None:  # of a new run of Weights & Biases, whose folder is new
        yield
        return
    folder = run_folder(trainer)
    file = folder.with_name(f".{folder.name}.lock") if trainer.loggers else folder / ".lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(
            f"{folder}: another training is writing there. Wait for its end, or give this one another --name."
        ) from error
    try:
        yield
    finally:
        if os.name == "posix":  # elsewhere an open file cannot be removed, and the lock does it itself
            file.unlink(missing_ok=True)  # while it is held: who has opened it sees that it is gone, and has no lock
        lock.release()
