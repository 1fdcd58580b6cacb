"""The command killed at random and started again, against one that is left alone."""

import csv
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

TABLE = {
    "name": "tiny",
    "title": "Digits",
    "metric": "test/error",
    "validation": "val/error",
    "scores": ["test/nll"],
    "rows": [
        {
            "name": "bbb",
            "labels": {"net": "BBB"},
            "configs": ["bbb_digits.yaml"],
            "options": {"trainer.max_epochs": 40, "model.net.hidden": [8], "model.draws": 3, "model.val_draws": 1},
        },
        {
            "name": "dropout",
            "labels": {"net": "dropout"},
            "configs": ["mlp_dropout_mnist.yaml"],
            "options": {"trainer.max_epochs": 40, "model.net.hidden": [8, 8], "data": "Digits"},
        },
    ],
    "figure": {"file": "f.png", "title": "", "curve": "val/error", "rows": ["bbb", "dropout"]},
}
COMMAND = [sys.executable, "-m", "lightning_vi", "table", "--config=tiny.yaml", "--workers=2"]


def start(folder: Path) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TABLE))
    with (folder / "out").open("ab") as out:
        return subprocess.Popen(COMMAND, cwd=folder, stdout=out, stderr=out)


def epochs_logged(folder: Path) -> int:
    """How often runs have said that they have trained an epoch."""
    logs = folder.glob("runs/tiny/*/log.txt")
    return sum(line.startswith("Epoch ") for path in logs for line in path.read_text().splitlines())


def figures(folder: Path) -> list[dict[str, str]]:
    """The CSV without what the clock says."""
    with (folder / "results" / "tiny.csv").open(newline="") as file:
        return [{name: value for name, value in line.items() if name != "minutes"} for line in csv.DictReader(file)]


def test_five_kills_change_nothing(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    assert start(alone).wait() == 0, (alone / "out").read_text()

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

    assert len(figures(alone)) == 2
    assert figures(killed) == figures(alone)
    assert (killed / "results" / "f.png").read_bytes() == (alone / "results" / "f.png").read_bytes()
    # Not only started over: at least one went on.
    logs = [path.read_text() for path in killed.glob("runs/tiny/*/log.txt")]
    assert any("--ckpt_path=last" in log for log in logs)
    for log in logs:
        *_, last = log.split("+ lightning-vi ")
        if "--ckpt_path=last" in last:
            assert "Epoch 1/40" not in last
