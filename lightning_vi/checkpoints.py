"""Checkpoints that the command line writes and starts from: which file is meant, whether it is whole and fits."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from lightning_vi.checkpoint_version import require_known
from lightning_vi.errors import UserError
from lightning_vi.modules.newest_checkpoint import newest_checkpoint
from lightning_vi.nearest import did_you_mean
from lightning_vi.seal import damage, seal
from lightning_vi.settings import flat
from lightning_vi.whole_file import whole

SETTINGS = LightningModule.CHECKPOINT_HYPER_PARAMS_KEY
NAMES = ("last", "best")
"""Values of `--ckpt_path` that stand for the newest file of that name among the runs of a configuration."""


def find(trainer: Trainer, ckpt_path: str, option: str = "--ckpt_path") -> Path:
    """The file that `--ckpt_path`, or another option, means: a path, or the newest run's `last` or `best`.

    Lightning's own `last` looks into the folder of the run that is about to start, which is new and empty, and
    then silently starts over. If the newest `last` is damaged, the newest good file beside it stands in, which is told.

    Raises:
        UserError: if there is no such file, or no good one in place of `last`.
    """
    logger = trainer.logger
    runs = None if logger is None or logger.save_dir is None else Path(logger.save_dir) / str(logger.name)
    path, note = located(runs, ckpt_path, option)
    if note is not None and trainer.is_global_zero:
        print(f"Note: {note}", file=sys.stderr)
    return path


def located(runs: Path | None, ckpt_path: str, option: str = "--ckpt_path") -> tuple[Path, str | None]:
    """The file that `find` finds, and what is to be told of it.

    Args:
        runs: The folder of the runs of a configuration; None if there is none.
        ckpt_path: See `find`.
        option: See `find`.

    Raises:
        UserError: See `find`.
    """
    if ckpt_path in NAMES:
        path = _newest(runs, ckpt_path, option)
        return _good(path) if ckpt_path == "last" else (path, None)
    path = Path(ckpt_path)
    if not path.is_file():
        likely = [*NAMES, *(str(file) for file in path.parent.glob("*.ckpt"))]
        raise UserError(f"{option} {ckpt_path}: no such file.{did_you_mean(ckpt_path, likely)}")
    return path, None


def _newest(runs: Path | None, name: str, option: str) -> Path:
    if runs is None:
        raise UserError(f"{option} {name}: without a logger there is no folder to look in. Give a path.")
    pattern = f"*/checkpoints/{name}.ckpt"
    found = sorted(runs.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"{option} {name}: there is no {runs / pattern}. Run fit first, or give a path.")
    return found[-1]


def _good(path: Path) -> tuple[Path, str | None]:
    try:
        _read(path)
    except UserError as error:
        found = _newest_good_beside(path)
        if found is None:
            raise
        return found, f"{error} Taking the newest good one beside it: {found}."
    return path, None


def _newest_good_beside(path: Path) -> Path | None:
    others = [each for each in path.parent.glob("*.ckpt") if each != path and each.is_file()]
    for other in sorted(others, key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            _read(other)
        except UserError:
            continue
        return other
    return None


def read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds. It is read as data: nothing in it can run code.

    Raises:
        UserError: if the file is not a checkpoint, is damaged, holds more than data or is of a format unknown here; it
            names the newest good one beside it.
    """
    try:
        return _read(path)
    except UserError as error:
        found = _newest_good_beside(path)
        if found is None:
            raise
        raise UserError(f"{error} The newest good one beside it: {found}.") from error


def _read(path: Path) -> dict[str, Any]:
    require_whole(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        settings = checkpoint.get(SETTINGS, {}) if isinstance(checkpoint, dict) else {}
        json.dumps(settings, default=str, skipkeys=True)  # what contains itself would keep its readers for ever
    except Exception as error:  # what somebody else has pickled makes the unpickler raise nearly anything
        raise UserError(f"{path} is not a checkpoint that can be read as data; nothing in it has been run.") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), Mapping):
        raise UserError(f"{path} is not a checkpoint of Lightning: it has no 'state_dict'.")
    if not isinstance(settings, Mapping):
        raise UserError(f"{path} is not a checkpoint of Lightning: its '{SETTINGS}' are no mapping.")
    require_known(checkpoint, path)
    return checkpoint


def require_whole(path: Path) -> None:
    """Refuse a file whose bytes are not those that were written.

    Raises:
        UserError: saying what is wrong.
    """
    try:
        found = damage(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if found is not None:
        raise UserError(f"{path} is not a checkpoint, or is damaged: {found}.")


def write(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint with a checksum, making its folder. After an error, what the file was before is there.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part, part.open("w+b") as file:
            torch.save(checkpoint, file)
            seal(file)
    except (OSError, RuntimeError) as error:
        # When a write fails torch goes on to write the end, which fails too and hides the reason.
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError):
            raise
        raise UserError(
            f"{path} cannot be written: {reason.strerror}. Checkpoints that were there are as they were."
        ) from error


def is_finished(checkpoint: Mapping[str, Any], path: Path, trainer: Trainer) -> bool:
    """Whether a run has had exactly the epochs, or the steps, that it is asked for, or `EarlyStopping` has ended it.

    Raises:
        UserError: if it has had more, or if the checkpoint holds weights alone.
    """
    if "loops" not in checkpoint:
        raise UserError(f"{path} holds weights alone, from which training cannot go on.")
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set at run time
    finished = checkpoint.get("stopped_early", False) and any(isinstance(each, EarlyStopping) for each in callbacks)
    for trained, name, limit in (
        (epochs(checkpoint), "epochs", trainer.max_epochs),
        (checkpoint["global_step"], "steps", trainer.max_steps),
    ):
        if limit not in (None, -1):
            if trained > limit:
                raise UserError(
                    f"{path} has been trained for {trained} {name} already; --trainer.max_{name} (={limit}) must be "
                    "larger to train on."
                )
            finished = finished or trained == limit
    return finished


def epochs(checkpoint: Mapping[str, Any]) -> int:
    """Number of epochs that a run has had.

    Raises:
        UserError: if the checkpoint is not that of a run.
    """
    try:
        trained = int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("The checkpoint's 'loops' are not those of a Trainer. Give one of `fit`.") from error
    return trained


@contextmanager
def fitting(path: Path | None) -> Iterator[None]:
    """A context in which weights that do not fit the model are told as a user's mistake."""
    try:
        yield
    except RuntimeError as error:
        lines = str(error).splitlines()
        if not lines[0].startswith("Error(s) in loading state_dict"):
            raise
        raise UserError(
            f"{path} does not fit the model of this configuration: {lines[1].strip()[:200]} "
            "Give the config.yaml of its run's folder."
        ) from error


@contextmanager
def named(trainer: Trainer) -> Iterator[None]:
    """A context in which training may fail; the exception is told with the run's newest checkpoint.

    Nothing is saved then: a failure may come in the middle of a step, when one network or one process has had its
    update and another has not.
    """
    try:
        yield
    except Exception as error:
        newest = newest_checkpoint(trainer)
        if newest is None:
            error.add_note("lightning-vi: no checkpoint has been written yet.")
        else:
            error.add_note(f"lightning-vi: the same command goes on from here with --ckpt_path {newest}")
        raise


def differences(checkpoint: Mapping[str, Any], module: LightningModule, ignored: tuple[str, ...] = ()) -> list[str]:
    """Settings of the model that are not those that the checkpoint was made with, as `draws 10 (here 100)`.

    Args:
        checkpoint: what it holds.
        module: the model.
        ignored: arguments of the model that do not count.
    """
    saved = _flat(checkpoint.get(module.CHECKPOINT_HYPER_PARAMS_KEY, {}))
    given = _flat(module.hparams)
    return [
        f"{'model' if name == '_class_path' else name} {saved[name]} (here {given[name]})"
        for name in saved
        if name in given and saved[name] != given[name] and name.partition(".")[0] not in ignored
    ]


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    # A checkpoint has tuples where a configuration has lists.
    return {name: list(each) if isinstance(each, tuple) else each for name, each in flat(settings).items()}
