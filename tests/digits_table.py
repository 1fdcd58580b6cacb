"""A small table of real trainings on scikit-learn's digits, and what the command has made of it."""

import csv
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

TABLE: dict[str, Any] = {
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


def start(
    folder: Path, *options: str, table: Mapping[str, Any] = TABLE, environment: Mapping[str, str] = os.environ
) -> "subprocess.Popen[bytes]":
    """The command as a process that works in a folder and prints to `out` there."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(dict(table)))
    command = [sys.executable, "-m", "lightning_vi", "table", "--config=tiny.yaml", "--workers=2", *options]
    with (folder / "out").open("ab") as out:
        return subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=environment)


def logs(folder: Path) -> list[str]:
    """What the runs have printed."""
    return [path.read_text() for path in sorted(folder.glob("runs/tiny/*/log.txt"))]


def figures(folder: Path) -> list[dict[str, str]]:
    """The CSV without what the clock says."""
    with (folder / "results" / "tiny.csv").open(newline="") as file:
        return [{name: value for name, value in line.items() if name != "minutes"} for line in csv.DictReader(file)]


def processes() -> dict[int, tuple[int, Sequence[str]]]:
    """Parent and command line of each process of this machine, by its id."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listed.splitlines()]
    return {int(pid): (int(parent), arguments) for pid, parent, *arguments in lines}


def children(ancestor: int, name: str) -> list[int]:
    """Processes below an ancestor that train the run of a name, e.g. `tiny/bbb-seed0`."""
    listed = processes()

    def is_below(pid: int) -> bool:
        parent = listed[pid][0] if pid in listed else 0
        return parent == ancestor or (parent > 0 and is_below(parent))

    training = [
        pid
        for pid, (_, arguments) in listed.items()
        if "lightning_vi.table.child" in arguments and any(each.startswith(f"--name={name}") for each in arguments)
    ]
    return [pid for pid in training if is_below(pid)]
