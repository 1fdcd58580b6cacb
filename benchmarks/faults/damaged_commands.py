"""The same damage to the newest checkpoint of a run, met by a command: never a traceback or a hang."""

import contextlib
import io
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.faults.damage import CHECKPOINTS, CONFIG, cut, flipped, trained
from lightning_vi.__main__ import main

SECONDS = 60.0


def cases() -> dict[str, Callable[[int], None]]:
    """A command that names the file, and one that names the newest."""
    folder = trained()
    content = (folder / CHECKPOINTS / "last.ckpt").read_bytes()
    return {
        "`test --ckpt_path FILE` tells it and names the good one": partial(named, content, folder),
        "`test --ckpt_path last` takes the good one": partial(replaced, content, folder),
    }


def _damaged(content: bytes, trial: int) -> bytes:
    """With a random bit changed and cut at a random place in turn."""
    return cut(content, trial) if trial % 2 else flipped(content, trial)


def named(content: bytes, folder: Path, trial: int) -> None:
    """The command ends with one line, which names the good file beside the damaged one."""
    code, lines = _test(folder, _damaged(content, trial), str(CHECKPOINTS / "last.ckpt"))
    assert code == 2
    assert len(lines) == 1
    assert lines[0].endswith(f"The newest good one beside it: {CHECKPOINTS / 'best.ckpt'}."), lines[0]


def replaced(content: bytes, folder: Path, trial: int) -> None:
    """The command goes on with the good file, and says so."""
    code, lines = _test(folder, _damaged(content, trial), "last")
    assert code == 0
    assert any(line.endswith(f"Taking the newest good one beside it: {CHECKPOINTS / 'best.ckpt'}.") for line in lines)


def _test(folder: Path, content: bytes, ckpt_path: str) -> tuple[int, list[str]]:
    """The exit code of `test` with that content in `last.ckpt`, and the lines that it prints as errors."""
    file = folder / CHECKPOINTS / "last.ckpt"
    file.write_bytes(content)
    os.utime(file)  # the newest, with whatever content
    errors, start = io.StringIO(), time.monotonic()
    try:
        quiet = contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO())
        with contextlib.chdir(folder), quiet[0], quiet[1]:
            code = main(["test", *CONFIG, f"--ckpt_path={ckpt_path}"])
    except Exception as error:
        raise AssertionError("the command has raised an error") from error
    assert time.monotonic() - start < SECONDS
    return code, errors.getvalue().splitlines()
