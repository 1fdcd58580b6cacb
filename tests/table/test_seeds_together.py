"""The command with `--seeds-together`, killed as well, against a run of its own for each seed."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.digits_table import TABLE, children, figures, logs, start

BAYESIAN = TABLE["rows"][0]
ROWS = [
    {**BAYESIAN, "options": {**BAYESIAN["options"], "trainer.check_val_every_n_epoch": 10}},
    {
        "name": "sgd",
        "labels": {"net": "SGD"},
        "configs": ["mlp_mnist.yaml"],
        "options": {"trainer.max_epochs": 20, "model.net.hidden": [8], "data": "Digits"},
    },
]
TWO_SEEDS = {**TABLE, "rows": ROWS, "seeds": [3, 4], "figure": None}
NAMES = ["bbb-seed3", "bbb-seed4", "sgd-seed3", "sgd-seed4"]


def stored(folder: Path) -> dict[str, dict[str, Any]]:
    """By row and seed what the files of the runs hold; the hash of the settings is a part of the file's name."""
    files = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("results/runs/*.json"))}
    assert all(name == f"{each['row']}-seed{each['seed']}-{each['config']}.json" for name, each in files.items())
    return {f"{each['row']}-seed{each['seed']}": each for each in files.values()}


def test_each_seed_has_the_figures_of_its_own_run(tmp_path: Path) -> None:
    apart, together = tmp_path / "apart", tmp_path / "together"
    assert start(apart, table=TWO_SEEDS).wait() == 0, (apart / "out").read_text()

    process = start(together, "--seeds-together", table=TWO_SEEDS)
    while process.poll() is None and not [*together.glob("runs/tiny/bbb-*/*/checkpoints/last.ckpt")]:
        time.sleep(0.02)
    assert len(children(process.pid, "tiny/bbb-seeds3to4")) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5)  # for its runs to notice
    assert start(together, "--seeds-together", table=TWO_SEEDS).wait() == 0, (together / "out").read_text()
    assert any("--ckpt_path=last" in log for log in logs(together))
    assert len(logs(together)) == 2

    expected, found = stored(apart), stored(together)
    assert list(found) == list(expected) == NAMES
    for name, alone in expected.items():
        member = found[name]
        for key in ("settings", "config", "epochs", "weights", "device"):
            assert member[key] == alone[key]
        assert (member["together"], alone["together"]) == (2, 1)
        assert list(member["scores"]) == list(alone["scores"])
        for score, value in alone["scores"].items():
            assert member["scores"][score] == pytest.approx(value, rel=1e-4, abs=1e-6)
        own = {each: curve for each, curve in alone["curves"].items() if not each.startswith("train/")}
        assert own.keys() == member["curves"].keys()
        for each, curve in own.items():
            assert member["curves"][each] == pytest.approx(curve, rel=1e-4, abs=1e-6)
    assert [each["test_error_mean"] for each in figures(together)] == [
        each["test_error_mean"] for each in figures(apart)
    ]
    report = (together / "results" / "tiny.md").read_text()
    assert "Trained together, with equal parts of the time: bbb (seeds 3, 4); sgd (seeds 3, 4)." in report
