"""The sample sweep, made and run by W&B's own commands with a server that hands out one run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.elsewhere import elsewhere as elsewhere
from tests.wandb_server import Server, serving

ROOT = Path(__file__).parent.parent
SWEEP = ROOT / "docs" / "sweep_bbb_digits.yaml"
CHOSEN = {
    "model.optimizer.lr": 0.005,
    "model.prior.sigma": 0.3,
    "model.posterior.initial_sigma": 0.01,
    "model.net.hidden": "[12, 10]",
}
SHORT = {"trainer.max_epochs": 1, "model.draws": 2, "model.val_draws": 2, "trainer.accelerator": "cpu"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def wandb(server: Server, *arguments: str) -> str:
    # `lightning-vi` is that of this source tree, wherever the installed one is.
    Path("bin").mkdir(exist_ok=True)
    command = Path("bin/lightning-vi")
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m lightning_vi "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, **server.environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path('bin').resolve()}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "wandb", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_sweep_runs(server: Server) -> None:
    out = wandb(server, "sweep", str(SWEEP))
    assert "wandb agent me/lightning-vi/sweep" in out
    assert "Malformed" not in out
    config = yaml.safe_load(server.sweep)
    assert set(config["parameters"]) == set(CHOSEN)
    server.handed_out = {**CHOSEN, **SHORT}
    out = wandb(server, "agent", "--count", "1", "me/lightning-vi/sweep")
    run = yaml.safe_load(Path("runs/bbb_digits/version_0/config.yaml").read_text())
    model = run["model"]["init_args"]
    assert model["optimizer"]["init_args"]["lr"] == CHOSEN["model.optimizer.lr"]
    assert model["prior"]["init_args"]["sigma"] == CHOSEN["model.prior.sigma"]
    assert model["posterior"]["init_args"]["initial_sigma"] == CHOSEN["model.posterior.initial_sigma"]
    assert model["net"]["init_args"]["hidden"] == [12, 10]
    header = Path("runs/bbb_digits/version_0/metrics.csv").read_text().splitlines()[0]
    assert config["metric"]["name"] in header.split(",")
    (logged,) = Path("runs/wandb").glob("run-*/run-*.wandb")
    assert config["metric"]["name"].encode() in logged.read_bytes()
