"""Runs in which a callback, the data or another process of the job fails: they end, and can go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_vi import checkpoints
from lightning_vi.__main__ import main

ROOT = Path(__file__).parent.parent
SMALL = ["fit", "--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--model.net.hidden=[8]", "--model.draws=2"]
SMALL += ["--model.val_draws=2", "--model.compile=false", "--model.lr_scheduler=HarmonicLR", "--test_checkpoint=none"]
LAST = Path("runs/bbb_digits/version_0/checkpoints/last.ckpt")
LIMIT = 60.0
"""Seconds within which a job has to end."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--trainer.callbacks+=tests.failing.FailingCallback", KeyError),
        ("--data.transform=tests.failing.FailingTransform", OSError),
    ],
)
def test_what_raises_is_told_with_the_checkpoint_of_the_epoch_before(option: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        main([*SMALL, option])
    assert raised.value.__notes__ == [f"lightning-vi: the same command goes on from here with --ckpt_path {LAST}"]
    assert checkpoints.epochs(checkpoints.read(LAST)) == 1
    assert main([*SMALL, f"--ckpt_path={LAST}", "--trainer.max_epochs=2"]) == 0


def test_without_a_checkpoint_there_is_none_to_name() -> None:
    with pytest.raises(KeyError) as raised:
        main([*SMALL, "--trainer.callbacks+=tests.failing.FailingCallback", "--trainer.enable_checkpointing=false"])
    assert raised.value.__notes__ == ["lightning-vi: no checkpoint has been written yet."]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the processes of a session")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job_and_leaves_a_checkpoint(rank: int) -> None:
    devices = ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=10000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lightning_vi", *SMALL, *devices]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as job:
        try:
            while not LAST.exists() and job.poll() is None:
                time.sleep(0.1)
            victim = job.pid if rank == 0 else max(session(job.pid))
            os.kill(victim, signal.SIGKILL)
            start = time.monotonic()
            assert job.wait(LIMIT) != 0
            while session(job.pid) and time.monotonic() < start + LIMIT:
                time.sleep(0.1)
            assert not session(job.pid)
        finally:
            for each in session(job.pid):
                os.kill(each, signal.SIGKILL)
    epochs = checkpoints.epochs(checkpoints.read(LAST))
    assert main([*SMALL, f"--ckpt_path={LAST}", f"--trainer.max_epochs={epochs + 1}"]) == 0


def session(leader: int) -> list[int]:
    """The running processes of a session."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, number = each.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it has ended in between
        if int(number) == leader and state not in "ZX":
            found.append(int(each.parent.name))
    return found
