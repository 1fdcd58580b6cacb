"""Checkpoints with a bit changed or cut short at a random place: never a wrong model, a traceback or a hang."""

import contextlib
import io
import os
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lightning_vi import checkpoints
from lightning_vi.__main__ import main
from lightning_vi.errors import UserError

CONFIG = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--model.draws=2"]
FOLDER = Path("runs/bbb_digits/version_0/checkpoints")
SECONDS = 60.0


def cases() -> dict[str, Callable[[int], None]]:
    """Each of both kinds of damage, to a file with our checksum and to one without; then through the command line."""
    folder = Path(tempfile.mkdtemp())
    with contextlib.chdir(folder):
        assert main(["fit", *CONFIG, "--model.val_draws=2", "--test_checkpoint=none"]) == 0
    file = folder / FOLDER / "last.ckpt"
    sealed = file.read_bytes()
    expected = checkpoints.read(file)
    torch.save(expected, folder / "a.ckpt")
    unsealed = (folder / "a.ckpt").read_bytes()
    made: dict[str, Callable[[int], None]] = {}
    for name, damage in {"a bit changed": flipped, "cut short": cut}.items():
        made[f"{name}: refused"] = partial(refused, damage, sealed, folder / "a.ckpt")
        made[f"without our checksum, {name}: refused or right"] = partial(right, damage, unsealed, expected, folder)
        made[f"{name}: `test --ckpt_path FILE` tells it and names the good one"] = partial(
            named, damage, sealed, folder
        )
        made[f"{name}: `test --ckpt_path last` takes the good one"] = partial(replaced, damage, sealed, folder)
    return made


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
    try:
        checkpoints.read(path)
    except UserError:
        return
    raise AssertionError(f"{path} of trial {trial} was read")


def right(
    damage: Callable[[bytes, int], bytes], content: bytes, expected: dict[str, Any], folder: Path, trial: int
) -> None:
    """What a damaged file gives, if anything, is what was saved."""
    path = folder / "a.ckpt"
    path.write_bytes(damage(content, trial))
    try:
        loaded = checkpoints.read(path)
    except UserError:
        return
    state = expected["state_dict"]
    assert loaded["state_dict"].keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in loaded["state_dict"].items())


def named(damage: Callable[[bytes, int], bytes], content: bytes, folder: Path, trial: int) -> None:
    """The command ends with one line, which names the good file beside the damaged one."""
    code, lines = _test(folder, damage(content, trial), str(FOLDER / "last.ckpt"))
    assert code == 2
    assert len(lines) == 1
    assert lines[0].endswith(f"The newest good one beside it: {FOLDER / 'best.ckpt'}."), lines[0]


def replaced(damage: Callable[[bytes, int], bytes], content: bytes, folder: Path, trial: int) -> None:
    """The command goes on with the good file, and says so."""
    code, lines = _test(folder, damage(content, trial), "last")
    assert code == 0
    assert any(line.endswith(f"Taking the newest good one beside it: {FOLDER / 'best.ckpt'}.") for line in lines)


def _test(folder: Path, content: bytes, ckpt_path: str) -> tuple[int, list[str]]:
    """The exit code of `test` with that content in `last.ckpt`, and the lines that it prints as errors."""
    file = folder / FOLDER / "last.ckpt"
    file.write_bytes(content)
    os.utime(file)  # the newest, with whatever content
    errors, start = io.StringIO(), time.monotonic()
    try:
        quiet = contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO())
        with contextlib.chdir(folder), quiet[0], quiet[1]:
            code = main(["test", *CONFIG, f"--ckpt_path={ckpt_path}", "--trainer.limit_test_batches=1"])
    except Exception as error:
        raise AssertionError("the command has raised an error") from error
    assert time.monotonic() - start < SECONDS
    return code, errors.getvalue().splitlines()
