"""Which folder a run writes into: one that is new, or that of the run it goes on with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi import run_results
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError
from lightning_vi.whole_file import whole

SETTINGS = ("config.yaml", "hparams.yaml")
"""What is written of a run before it begins."""

REPLACED = (*SETTINGS, "metrics.csv", run_results.FILE)
"""What a run that goes on replaces or removes before its first step."""


@contextmanager
def entered(trainer: Trainer, goes_on: Path | None = None) -> Iterator[None]:
    """A context in which a run has its folder; one that fails before it has made anything leaves none behind.

    Only where the first logger is a `CSVLogger`: others name their runs themselves.

    Args:
        trainer: whose run it is.
        goes_on: the folder of the run that it goes on with, None for a new one.

    Raises:
        UserError: if `version` of the logger names a folder that holds a run.
    """
    logger = trainer.loggers[0] if trainer.loggers else None
    if not isinstance(logger, CSVLogger):
        yield
        return
    if goes_on is not None:
        logger._version = goes_on.name  # a folder, where the constructor takes a number or a name
        yield
        return
    if not trainer.is_global_zero:
        yield
        return
    root = Path(logger.root_dir)
    before = {each for each in (root, *root.parents) if each.is_dir()}
    folder = _claimed(logger)
    try:
        yield
    except BaseException:
        _take_back(folder, before)
        raise


def require_free(trainer: Trainer, path: Path | None) -> None:
    """Refuse to train where another run's checkpoints are, which would be overwritten.

    Without a logger no run has a folder of its own; loggers other than `CSVLogger` (see `entered`) take any version.

    Args:
        trainer: of the run that is about to start.
        path: the checkpoint that it goes on from, None for a new run.

    Raises:
        UserError: unless that is one of these.
    """
    if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
        return
    if trainer.loggers and (isinstance(trainer.loggers[0], CSVLogger) or trainer.loggers[0].version is None):
        return
    folder = run_folder(trainer) / "checkpoints"
    there = sorted(folder.glob("*.ckpt"))
    if there and (path is None or path.parent.resolve() != folder.resolve()):
        raise UserError(
            f"{folder.parent} holds a run already. Give another --trainer.default_root_dir or logger version, or go on "
            f"with that run: --ckpt_path {there[-1]}."
        )


@contextmanager
def kept(trainer: Trainer, folder: Path | None) -> Iterator[None]:
    """A context in which a run goes on in a folder; one that fails before its next checkpoint leaves it as it was.

    Its new settings may be what it fails for, and the old ones what its checkpoint needs. Other processes must be kept
    out of the folder meanwhile, see `run_lock`.

    Args:
        trainer: whose run it is.
        folder: that of the run, None for a new one.
    """
    if folder is None or not trainer.is_global_zero:
        yield
        return
    files = {path: path.read_bytes() for name in REPLACED if (path := folder / name).is_file()}
    before = _written(folder)
    try:
        yield
    except BaseException:
        if folder.is_dir() and _written(folder) == before:
            for path in (folder / name for name in REPLACED):
                if path not in files:
                    path.unlink(missing_ok=True)
                elif not path.is_file() or path.read_bytes() != files[path]:
                    with whole(path) as part:
                        part.write_bytes(files[path])
        raise


def _written(folder: Path) -> dict[Path, int]:
    """The checkpoints of a run, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*.ckpt")}


def of_run(trainer: Trainer, ckpt_path: str, path: Path) -> Path | None:
    """The folder of the run that a checkpoint goes on with; None if the checkpoint is only where a new run starts.

    It is that of `last`, or of the file that it stands for, under this configuration's name.

    Args:
        trainer: whose logger has the name.
        ckpt_path: what the user has given.
        path: the file that it means.
    """
    logger = trainer.loggers[0] if trainer.loggers else None
    if not isinstance(logger, CSVLogger) or (ckpt_path != "last" and path.name != "last.ckpt"):
        return None
    folder = path.parent.parent
    is_run = path.parent.name == "checkpoints" and folder.parent.resolve() == Path(logger.root_dir).resolve()
    return folder if is_run else None


def _claimed(logger: CSVLogger) -> Path:
    """A new folder; of two runs that start at once, each gets its own."""
    is_given = logger._version is not None
    while True:
        folder = Path(logger.log_dir)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not is_given:
                logger._version = None  # taken in between; the next one
                continue
            if any(folder.iterdir()):
                raise UserError(
                    f"trainer.logger.version (={logger.version}): {folder} holds a run already. Leave it out for a new "
                    f"folder, or go on with that run: --ckpt_path {folder / 'checkpoints' / 'last.ckpt'}."
                ) from None
        return folder


def _take_back(folder: Path, before: set[Path]) -> None:
    """Remove a folder that holds no more than the run's settings, and those above it that are new and empty."""
    inside = sorted(folder.rglob("*"), reverse=True)  # what a folder holds comes before the folder
    if any(not path.is_dir() and path.relative_to(folder).as_posix() not in SETTINGS for path in inside):
        return
    for path in inside:
        remove = path.rmdir if path.is_dir() else path.unlink
        remove()
    for each in (folder, *folder.parents):
        if each in before or (each.is_dir() and any(each.iterdir())):
            return
        if each.is_dir():
            each.rmdir()
