"""Nodes and devices by the command line: they train what one process trains, and go on where another number stopped.

In double precision and almost without noise, which differs from device to device.
"""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lightning_vi.__main__ import main

BLOCK = 120
OPTIONS = ["fit", "--config", "bbb_digits.yaml", "--config", "few.yaml", "--trainer.accelerator", "cpu"]
FEW = """\
model:
  init_args:
    net: {class_path: MLP, init_args: {hidden: [16]}}
    posterior: {class_path: SoftplusScale, init_args: {initial_sigma: 1.0e-9}}
    optimizer: {class_path: SGD, init_args: {lr: 0.1, momentum: 0.5}}
    draws: 2
data: {class_path: Digits, init_args: {watch_test: false, eval_batch_size: 70}}
trainer:
  precision: 64-true
  callbacks:
    - LearningCurves
    - class_path: ModelCheckpoint
      init_args: {filename: last, save_on_train_epoch_end: true, enable_version_counter: false}
"""


class Trained(NamedTuple):
    """The folder of a run, what its checkpoint holds, and what its results.json."""

    folder: Path
    weights: dict[str, Any]
    results: dict[str, Any]


def command(devices: int, epochs: int, name: str, start: Trained | None) -> list[str]:
    options = [f"--trainer.max_epochs={epochs}", f"--data.batch_size={BLOCK // devices}", f"--name={name}"]
    return [*OPTIONS, *options, *([] if start is None else [f"--ckpt_path={file(start.folder)}"])]


def file(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def read(folder: Path, name: str) -> Trained:
    """The one folder of a name's runs."""
    (run,) = (folder / "runs" / name).iterdir()
    assert [each.name for each in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    state = torch.load(file(run), weights_only=True)["state_dict"]
    weights = {each: state[f"model.{each}"].numpy() for each in ("mu", "rho")}
    return Trained(run, weights, json.loads((run / "results.json").read_text()))


def on_two_nodes(folder: Path, *options: str) -> list[str]:
    """What each of two process groups, of one process, has printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
    what = ["-m", "lightning_vi", *options, "--trainer.num_nodes=2", "--trainer.strategy=ddp"]
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *where, f"--node-rank={rank}", *what],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    printed = [each.communicate(timeout=300)[0] for each in nodes]
    assert [each.returncode for each in nodes] == [0, 0], printed
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    path.joinpath("few.yaml").write_text(FEW)
    return path


@pytest.fixture
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")  # Lightning sets them; so they are taken back


def agree(one: Trained, other: Trained) -> None:
    for name, values in one.weights.items():
        np.testing.assert_allclose(other.weights[name], values, rtol=1e-6, atol=1e-8)
    assert other.results["scores"] == pytest.approx(one.results["scores"], rel=1e-5, abs=1e-6)
    assert other.results["curves"].keys() == one.results["curves"].keys()
    for name, curve in one.results["curves"].items():
        assert other.results["curves"][name] == pytest.approx(curve, rel=1e-5, abs=1e-6), name


@pytest.mark.usefixtures("_here")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_nodes_and_devices_train_what_one_process_trains_and_go_on_with_each_others_checkpoints(folder: Path) -> None:
    printed = on_two_nodes(folder, *command(2, 1, "nodes", None))
    assert ["val NLL per example" in each for each in printed] == [True, False]
    assert main(command(1, 1, "one", None)) == 0
    nodes, one = read(folder, "nodes"), read(folder, "one")
    agree(one, nodes)

    assert main(command(1, 2, "from_nodes", nodes)) == 0
    devices = ["--trainer.devices=2", "--trainer.strategy=ddp"]
    arguments = [sys.executable, "-m", "lightning_vi", *command(2, 2, "from_one", one), *devices]
    subprocess.run(arguments, check=True, capture_output=True, timeout=300, cwd=folder)
    resumed = read(folder, "from_nodes")
    assert resumed.results["curves"]["train/elbo"].keys() == {"1", "2"}
    agree(resumed, read(folder, "from_one"))
