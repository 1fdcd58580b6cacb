import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_vi import telling
from lightning_vi.__main__ import main

DEVICES = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
TOLD = "lightning-vi: there is no command 'fti'. Did you mean 'fit'?\n"


def test_two_devices_tell_a_mistake_once_and_leave_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_vi", "fit", "--config=bbb_digits.yaml", *DEVICES]
    done = subprocess.run(
        [*command, "--data.batch_size=5000"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("lightning-vi:")]
    assert lines == [
        "lightning-vi: Digits: batch_size (=5000) must not exceed the number of training examples (=1257)."
    ]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rank", "first_ends", "told"), [("0", False, True), ("1", True, False), ("1", False, True)])
def test_a_process_tells_its_mistake_unless_the_first_one_has_made_it_too(
    rank: str, first_ends: bool, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(telling, "GRACE", 0.1)
    monkeypatch.setattr(telling, "starter", lambda: os.getppid() + first_ends)
    assert main(["fti"]) == 2
    assert capsys.readouterr().err == (TOLD if told else "")


def test_the_first_process_does_not_wait(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wait() -> int:
        raise AssertionError

    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(os, "getppid", wait)
    assert main(["fti"]) == 2
    assert capsys.readouterr().err == TOLD
