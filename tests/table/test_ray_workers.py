"""Runs on a Ray cluster: a head of two workers on this machine, one of which is killed."""

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lightning_vi.__main__ import main
from lightning_vi.table import ray_workers
from tests.digits_table import TABLE, children, figures, logs, processes, start

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'lightning-vi[ray]'"
)


@dataclass(frozen=True)
class Cluster:
    head: int
    environment: dict[str, str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of its own, which no other on this machine is mistaken for."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # the paths of Ray's sockets must be short
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    options = ["--head", "--num-cpus=2", "--port=0", "--dashboard-agent-listen-port=0", f"--temp-dir={folder}"]
    options += ["--include-dashboard=false", "--disable-usage-stats", "--block"]
    with (folder / "out").open("wb") as out:
        head = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", *options], stdout=out, stderr=out, env=environment
        )
    address = folder / "ray_current_cluster"
    try:
        wait_for(lambda: address.is_file() or head.poll() is not None)
        assert head.poll() is None, (folder / "out").read_text()
        yield Cluster(head.pid, {**environment, "RAY_ADDRESS": address.read_text()})
    finally:
        head.terminate()
        head.wait(timeout=60)
        shutil.rmtree(folder)


def wait_for(condition: Callable[[], Any], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_ray
def test_a_killed_worker_changes_nothing_and_is_told(cluster: Cluster, alone: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = start(killed, "--engine=ray", environment=cluster.environment)
    saved = "runs/tiny/bbb-*/*/checkpoints/last.ckpt"
    wait_for(lambda: process.poll() is not None or [*killed.glob(saved)])
    (run,) = children(cluster.head, "tiny/bbb-seed0")
    worker, _ = processes()[run]
    assert processes()[worker][1][0].startswith("ray::")
    os.kill(worker, signal.SIGKILL)
    out = killed / "out"
    assert process.wait() == 0, out.read_text()
    assert "lightning-vi: 1 run failed and went on from its last checkpoint:" in out.read_text()
    assert "  bbb seed 0: Ray: The worker died" in out.read_text()
    bbb, dropout = logs(killed)
    assert (bbb.count("--ckpt_path=last"), dropout.count("+ lightning-vi ")) == (1, 1)
    assert "Epoch 1/40" not in bbb.split("--ckpt_path=last")[1]
    assert figures(killed) == figures(alone)


@needs_ray
def test_an_interruption_ends_the_runs(cluster: Cluster, tmp_path: Path) -> None:
    long = {"trainer.max_epochs": 100_000, "model.compile": False}
    rows = [{**TABLE["rows"][0], "options": long, "seeds": [0, 1]}]
    process = start(
        tmp_path, "--engine=ray", table={**TABLE, "rows": rows, "figure": None}, environment=cluster.environment
    )
    wait_for(lambda: process.poll() is not None or sum("Epoch 1/" in log for log in logs(tmp_path)) == 2)
    assert len(children(cluster.head, "tiny/")) == 2
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    wait_for(lambda: not children(cluster.head, "tiny/"), seconds=60)
    assert "interrupted. The same command goes on where it was." in (tmp_path / "out").read_text()


@needs_ray
def test_a_gpu_that_no_node_has_is_told(cluster: Cluster, tmp_path: Path) -> None:
    row = {**TABLE["rows"][0], "options": {"trainer.accelerator": "gpu"}}
    table = {"name": "tiny", "title": "T", "metric": "m", "rows": [row]}
    assert start(tmp_path, "--engine=ray", table=table, environment=cluster.environment).wait() == 2
    (line,) = (tmp_path / "out").read_text().splitlines()
    assert line == (
        "lightning-vi: tiny: row 'bbb': trainer.devices asks for 1 GPU; the nodes of the Ray cluster have 0 at most."
    )


@pytest.mark.parametrize(
    ("nodes", "workers", "cpus"),
    [([8], 3, 2), ([8, 8], 3, 4), ([2] * 16, 4, 2), ([2], 5, 1), ([0, 4], 1, 4), ([0], 1, 1)],
)
def test_cpus_of_a_run_are_those_of_one_node(nodes: Sequence[int], workers: int, cpus: int) -> None:
    assert ray_workers.cpus_per_run(nodes, workers) == cpus


def test_ray_that_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["table", "--engine=ray"]) == 2
    assert capsys.readouterr().err == ("lightning-vi: --engine ray needs Ray: pip install 'lightning-vi[ray]'.\n")


@needs_ray
@pytest.mark.parametrize(("address", "where"), [("", ""), ("127.0.0.1:1", " at RAY_ADDRESS=127.0.0.1:1")])
def test_no_cluster_is_told(
    address: str,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from ray._private import services

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(
        services, "_cached_find_gcs_addresses", functools.cache(set)
    )  # nor one that somebody else has started here
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["table", "--engine=ray"]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == (
        f"lightning-vi: --engine ray found no Ray cluster{where}: start one with `ray start --head`.\n"
    )
