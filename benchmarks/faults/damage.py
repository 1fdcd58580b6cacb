"""Checkpoints with a bit changed or cut short at a random place, read directly: never a wrong model, another error."""

import atexit
import contextlib
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lightning_vi import checkpoints
from lightning_vi.__main__ import main
from lightning_vi.errors import UserError

CONFIG = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--model.draws=2"]
CHECKPOINTS = Path("runs/bbb_digits/version_0/checkpoints")


def cases() -> dict[str, Callable[[int], None]]:
    """Each of both kinds of damage, to a file with our checksum and to one without."""
    folder = trained()
    file = folder / CHECKPOINTS / "last.ckpt"
    sealed = file.read_bytes()
    expected = checkpoints.read(file)
    torch.save(expected, folder / "a.ckpt")
    unsealed = (folder / "a.ckpt").read_bytes()
    made: dict[str, Callable[[int], None]] = {}
    for name, damage in {"a bit changed": flipped, "cut short": cut}.items():
        made[f"{name}: refused"] = partial(refused, damage, sealed, folder / "a.ckpt")
        made[f"without our checksum, {name}: refused or right"] = partial(right, damage, unsealed, expected, folder)
    return made


def trained() -> Path:
    """A folder in which a run has left its `last.ckpt` and `best.ckpt`."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    with contextlib.chdir(folder):
        assert main(["fit", *CONFIG, "--model.val_draws=2", "--test_checkpoint=none"]) == 0
    return folder


def flipped(content: bytes, trial: int) -> bytes:
    """The content with a random bit changed."""
    changed, places = bytearray(content), random.Random(trial)
    changed[places.randrange(len(content))] ^= 1 << places.randrange(8)
    return bytes(changed)


def cut(content: bytes, trial: int) -> bytes:
    """The content up to a random place."""
    return content[: random.Random(trial).randrange(len(content))]


def refused(damage: Callable[[bytes, int], bytes], content: bytes, path: Path, trial: int) -> None:
    """A damaged file is refused."""
    path.write_bytes(damage(content, trial))
    assert _read(path) is None, f"{path} of trial {trial} was read"


def right(
    damage: Callable[[bytes, int], bytes], content: bytes, expected: dict[str, Any], folder: Path, trial: int
) -> None:
    """What a damaged file gives, if anything, is what was saved."""
    path = folder / "a.ckpt"
    path.write_bytes(damage(content, trial))
    loaded = _read(path)
    if loaded is not None:
        state = expected["state_dict"]
        assert loaded["state_dict"].keys() == state.keys()
        assert all(torch.equal(value, state[name]) for name, value in loaded["state_dict"].items())


def _read(path: Path) -> dict[str, Any] | None:
    """What a file holds, or None if it is refused as a user's mistake; any other error counts as a failure."""
    try:
        return checkpoints.read(path)
    except UserError:
        return None
    except Exception as error:
        raise AssertionError(f"{path} raises {type(error).__name__}") from error
