import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHILD = "from lightning_vi import starter; starter.PERIOD = starter.GRACE = 0.1; starter.end_with_starter(); "
CHILD += "import time; print('ready', flush=True); time.sleep(30)"
STARTER = f"""
import os, subprocess, sys, time
from lightning_vi import starter
if os.environ.get("MARK"):
    starter.end_with_starter()
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env={{**os.environ, "LOCAL_RANK": "1"}})
print(child.pid, flush=True)
time.sleep(30)
"""


@contextmanager
def started(mark: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A child, which is ended in any case, and its starter, which has called `end_with_starter` if marked."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MARK": mark}
    environment.pop("LIGHTNING_VI_STARTER", None)
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        assert starter.stdout.readline() == "ready\n"
        try:
            yield child, starter
        finally:
            starter.kill()
            if is_alive(child):
                os.kill(child, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"  # what is not reaped, as where a container's first process reaps nothing


def ends(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the state of a process")
def test_a_rank_ends_with_its_starter_and_not_before() -> None:
    with started("yes") as (child, starter):
        assert not ends(child, 0.5)
        starter.kill()
        assert ends(child, 10.0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the state of a process")
def test_what_another_launcher_has_started_is_left_to_it() -> None:
    with started("") as (child, starter):
        starter.kill()
        assert not ends(child, 1.0)
