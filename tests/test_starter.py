import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightning_vi.starter import ending_together

ROOT = Path(__file__).parent.parent
CHILD = """
import time
from lightning_vi import starter
starter.PERIOD = starter.GRACE = 0.1
with starter.ending_together():
    print("ready", flush=True)
    time.sleep(30)
"""
STARTER = f"""
import os, subprocess, sys, time
from contextlib import nullcontext
from lightning_vi import starter
with starter.ending_together() if sys.argv[1] == "ours" else nullcontext():
    child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env={{**os.environ, "LOCAL_RANK": "1"}})
    print(child.pid, flush=True)
    time.sleep(30)
"""
GONE = 2**22 + 1
"""A number that no process of Linux has."""


@contextmanager
def started(launcher: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A child, which is ended in any case, and its starter: `ours`, or another."""
    command = [sys.executable, "-c", STARTER, launcher]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
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
    with started("ours") as (child, starter):
        assert not ends(child, 0.5)
        starter.kill()
        assert ends(child, 10.0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the state of a process")
def test_what_another_launcher_has_started_is_left_to_it() -> None:
    with started("another") as (child, starter):
        starter.kill()
        assert not ends(child, 1.0)


def test_a_rank_ends_whose_starter_has_gone_before_it_looks() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOCAL_RANK": "1", "LIGHTNING_VI_STARTER": str(GONE)}
    ended = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1


def test_what_is_started_behind_the_context_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with ending_together():
        assert os.environ["LIGHTNING_VI_STARTER"] == str(os.getpid())
    assert "LIGHTNING_VI_STARTER" not in os.environ
