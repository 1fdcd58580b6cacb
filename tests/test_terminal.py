"""What the commands write to a terminal, to a narrow one, to a pipe, with NO_COLOR; and their exit codes."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.elsewhere import elsewhere as elsewhere

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
} | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
PATH = "runs/bbb_digits/version_0/checkpoints/last.ckpt"
TABLE = f"""
from lightning_vi import summary
summary.show("BayesByBackprop on Digits", {{"test error": "2.22 %", "checkpoint": "{PATH}"}})
"""
PLAIN = f"BayesByBackprop on Digits\n  test error  2.22 %\n  checkpoint  {PATH}\n"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|4[0-7]|48|9[0-7])[;m]")
FIT = ["fit", "--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--model.draws=2", "--model.val_draws=2"]
FIT += ["--model.net.hidden=[8]", "--trainer.enable_checkpointing=false", "--test_checkpoint=none"]
FIT += ["--trainer.callbacks=[ProgressBar]", "--data.watch_test=false"]


def piped(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command writes to a terminal, of 80 columns unless told."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=ENVIRONMENT | {"TERM": "xterm-256color", "COLUMNS": "80"} | environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    written = b""
    try:
        while chunk := os.read(controller, 4096):
            written += chunk
    except OSError:  # what Linux says at the end
        pass
    os.close(controller)
    assert process.wait(timeout=120) == 0
    return written.decode().replace("\r\n", "\n")


def test_a_pipe_gets_plain_lines_whatever_its_width() -> None:
    for environment in ({}, {"COLUMNS": "40"}, {"TERM": "xterm-256color"}, {"NO_COLOR": "1"}):
        assert piped("-c", TABLE, **environment).stdout == PLAIN


@pytest.mark.parametrize("columns", [80, 40, 24])
def test_a_terminal_gets_a_drawn_table_of_its_width_that_loses_nothing(columns: int) -> None:
    written = on_terminal("-c", TABLE, COLUMNS=str(columns))
    lines = ESCAPE.sub("", written).splitlines()
    assert max(map(len, lines)) <= columns
    assert "┌" in written
    folded = "".join(line.strip("│ ").rpartition("│")[2].strip() for line in lines if line.startswith("│"))
    assert PATH in folded


def test_a_terminal_without_abilities_gets_no_escapes() -> None:
    assert "\x1b" not in on_terminal("-c", TABLE, TERM="dumb")


def test_no_color_takes_the_colours() -> None:
    written = on_terminal("-m", "lightning_vi", *FIT, "--trainer.max_epochs=1", NO_COLOR="1", COLUMNS="40")
    assert not COLOUR.search(written)
    assert "Epoch 1/1" in written
    assert "wall time" in written
    written = on_terminal("-m", "lightning_vi", *FIT, "--trainer.max_epochs=1")
    assert COLOUR.search(written)


def test_an_encoding_without_lines_is_no_mistake() -> None:
    written = on_terminal("-c", TABLE, PYTHONIOENCODING="ascii")
    assert PATH in "".join(line.strip("| ").rpartition("|")[2].strip() for line in written.splitlines())


def test_exit_codes_of_a_run_a_mistake_and_a_bug() -> None:
    done = piped("-m", "lightning_vi", *FIT, "--trainer.max_epochs=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Epoch 1/1: " in done.stdout
    assert "\x1b" not in done.stdout
    mistake = piped("-m", "lightning_vi", "fit", "--config=nowhere.yaml")
    assert (mistake.returncode, mistake.stdout) == (2, "")
    assert mistake.stderr.count("\n") == 1
    bug = piped("-m", "lightning_vi", *FIT, "--trainer.callbacks+=tests.failing.FailingCallback")
    assert bug.returncode == 1
    assert "Traceback (most recent call last)" in bug.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_exit_codes_of_signals(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_vi", *FIT, "--trainer.max_epochs=100000"],
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Epoch 1/")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code


def test_version_and_help_are_quick() -> None:
    start = time.monotonic()
    done = piped("-X", "importtime", "-m", "lightning_vi", "--version")
    assert done.stdout.startswith("lightning-vi ")
    assert not [line for line in done.stderr.splitlines() if line.endswith((" torch", " lightning", " jsonargparse"))]
    assert time.monotonic() - start < 10
