"""The command or one of its runs killed, against one that is left alone."""

import os
import random
import signal
import time
from pathlib import Path

from tests.digits_table import children, figures, logs, start


def epochs_logged(folder: Path) -> int:
    """How often runs have said that they have trained an epoch."""
    return sum(line.startswith("Epoch ") for log in logs(folder) for line in log.splitlines())


def assert_gone_on(folder: Path) -> None:
    """Not only started over: at least one run went on."""
    assert any("--ckpt_path=last" in log for log in logs(folder))
    for log in logs(folder):
        *_, last = log.split("+ lightning-vi ")
        if "--ckpt_path=last" in last:
            assert "Epoch 1/40" not in last


def test_five_kills_change_nothing(alone: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    chance = random.Random(0)
    for turn in range(5):
        process, before = start(killed), epochs_logged(killed)
        # At random while it imports, while it trains, and at its end.
        moment = time.monotonic() + chance.uniform(0.0, 8.0)
        while process.poll() is None and (time.monotonic() < moment or (turn < 2 and epochs_logged(killed) == before)):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL if turn % 2 == 0 else signal.SIGTERM)
        process.wait()
        time.sleep(0.5)  # for its runs to notice
    assert start(killed).wait() == 0, (killed / "out").read_text()

    assert figures(killed) == figures(alone)
    assert (killed / "results" / "f.png").read_bytes() == (alone / "results" / "f.png").read_bytes()
    assert_gone_on(killed)


def test_a_killed_run_goes_on_by_itself_and_is_told(alone: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = start(killed)
    while process.poll() is None and not [*killed.glob("runs/tiny/bbb-*/*/checkpoints/last.ckpt")]:
        time.sleep(0.02)
    (run,) = children(process.pid, "tiny/bbb-seed0")
    os.kill(run, signal.SIGKILL)
    out = killed / "out"
    assert process.wait() == 0, out.read_text()
    assert "lightning-vi: 1 run failed and went on from its last checkpoint:" in out.read_text()
    assert "  bbb seed 0: ended by SIGKILL; last: Epoch " in out.read_text()
    assert figures(killed) == figures(alone)
    assert_gone_on(killed)
