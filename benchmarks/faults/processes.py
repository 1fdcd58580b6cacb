"""Jobs of two processes of which one is killed: they end within a minute, leave no process, and can go on.

A trial trains `bbb_digits.yaml` by `ddp` on two processes. SIGKILL ends one of them at a random moment of training, or
the first one while the second still starts. Then the run goes on from its last checkpoint, if there is one.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lightning_vi import checkpoints

ROOT = Path(__file__).parent.parent.parent
LIMIT = 60.0
"""Seconds within which all processes of a job have ended."""

LAST = Path("runs/bbb_digits/version_0/checkpoints/last.ckpt")
SMALL = ["fit", "--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--model.net.hidden=[8]", "--model.draws=2"]
SMALL += ["--model.val_draws=2", "--model.compile=false", "--model.lr_scheduler=HarmonicLR", "--test_checkpoint=none"]
TWO = ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=10000"]


def cases() -> dict[str, Callable[[int], None]]:
    """Which process is killed, by name."""
    return {
        "the first of 2 processes": partial(killed, 0),
        "the second of 2 processes": partial(killed, 1),
        "the first, while the second starts": partial(killed, 0, is_starting=True),
    }


def killed(rank: int, trial: int, is_starting: bool = False) -> None:
    """Kill a process of a job, and go on."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = kill(rank, random.Random(trial).uniform(0.0, 3.0), Path(folder), is_starting)
        print(f"  ended after {seconds:.1f} s", flush=True)
        last = Path(folder) / LAST
        if last.exists():
            epochs = checkpoints.epochs(checkpoints.read(last)) + 1
            going_on = [*command(), f"--ckpt_path={last}", f"--trainer.max_epochs={epochs}"]
            ended = subprocess.run(going_on, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr


def kill(rank: int, delay: float, folder: Path, is_starting: bool = False) -> float:
    """Kill a process of a job that trains in a folder; the seconds until none of them was left.

    Args:
        rank: The first process or the second.
        delay: Seconds behind the first checkpoint, or behind the start of the second process.
        folder: Where the job runs.
        is_starting: Whether the second process is still to start, instead of training.

    Raises:
        AssertionError: if the job ends with 0, or is there after the limit.
    """
    with subprocess.Popen(
        [*command(), *TWO],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as job:
        try:
            while not (second(job.pid) if is_starting else (folder / LAST).exists()):
                assert job.poll() is None, "the job has ended by itself"
                time.sleep(0.05)
            time.sleep(delay)
            start = time.monotonic()
            os.kill(job.pid if rank == 0 else second(job.pid)[0], signal.SIGKILL)
            while session(job.pid) and time.monotonic() < start + LIMIT:
                time.sleep(0.05)
            seconds = time.monotonic() - start
            assert not session(job.pid), f"processes are left after {LIMIT:.0f} s"
            assert job.wait(LIMIT) != 0, "the job ended with 0"
            return seconds
        finally:
            for each in session(job.pid):
                os.kill(each, signal.SIGKILL)


def command() -> Sequence[str]:
    """Of a training."""
    return [sys.executable, "-m", "lightning_vi", *SMALL]


def environment() -> dict[str, str]:
    """In which a command finds this copy of the package."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def second(leader: int) -> list[int]:
    """The process that Lightning has started in a job, if it has."""
    # By the module's full name, where the job's own command has the package's.
    return [each for each, line in session(leader).items() if b"lightning_vi.__main__" in line]


def session(leader: int) -> dict[int, bytes]:
    """The running processes of a session, of Linux, and their command lines."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, number = (each / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(number) == leader and state not in "ZX":
                found[int(each.name)] = (each / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended in between
    return found
