"""The script for a machine with a GPU, in order on one without: a GPU's time is too dear to find mistakes in."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from benchmarks.gpu import traffic
from benchmarks.gpu.captured import DeviceNoise
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.report import FAIL, NEEDS_CUDA, PASS, Report
from benchmarks.gpu.training import BATCH, PIXELS, Mode, Training, bayesian, negative_elbo_of, network
from lightning_vi.bayesian import BayesianModule
from lightning_vi.noise import NoiseStream
from lightning_vi.priors import ScaleMixture

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
MODULES = {"BayesByBackprop", "PointEstimate", "DeepEnsemble", "Autoencoder", "VAE", "GAN"}


def test_the_rehearsal_runs_every_part_and_nothing_fails(tmp_path: Path) -> None:
    environment = os.environ | {"OUT": str(tmp_path), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = ["bash", "benchmarks/gpu.sh", "--device", "cpu", "--quick", "--commit", "c0ffee"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    parts = {line["name"]: line["outcome"] for line in lines if line["kind"] == "part"}
    assert parts == {"correctness": PASS, "goal": PASS, "speed": PASS, "modules": PASS}
    checks = {line["name"]: line["outcome"] for line in lines if line["kind"] == "check"}
    assert set(checks.values()) == {PASS, NEEDS_CUDA}
    for module in MODULES:
        assert checks[f"{module}: first step as on the processor"] == NEEDS_CUDA
        assert checks[f"{module}: fit and test, bf16-mixed"] == PASS
        assert checks[f"{module}: fit and test, 16-mixed"] == NEEDS_CUDA
    with (tmp_path / "gpu.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "size", "ours", "reference", "ratio", "device", "commit"]
    assert {row["commit"] for row in rows} == {"c0ffee"}
    names = " ".join(row["name"] for row in rows)
    for what in (
        "600 epochs, 5 at once",
        "memory-traffic floor",
        "images per second",
        "from the device",
        "step of fit",
    ):
        assert what in names
    assert all(row["name"] in (tmp_path / "gpu.md").read_text() for row in rows)


def test_a_failed_check_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    report = Report(tmp_path, "correctness", "a device", "c0ffee")
    with report.check("first") as check:
        check.require(True, "1 is 1")
        check.require(False, "2 | 3 apart")
    with report.check("second"):
        pass
    with report.check("third", rehearsal=True) as check:
        check.require(True, "equal")
    assert report.failures == ["first"]
    text = (tmp_path / "gpu.md").read_text()
    assert "| first | fail | 1 is 1; 2 \\| 3 apart |" in text
    assert "| second | pass |  |" in text
    assert "| third | needs CUDA | rehearsed: equal |" in text


def test_a_part_that_was_stopped_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "speed", "--out", str(tmp_path), "--stopped", "no time left"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 3
    (line,) = (json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines())
    assert (line["kind"], line["name"], line["outcome"], line["remark"]) == ("part", "speed", FAIL, "no time left")


def test_noise_that_is_counted_on_the_device_is_the_streams() -> None:
    stream = NoiseStream(5, stream=2, position=2**33)
    counted = DeviceNoise(stream, CPU)
    assert counted.evaluation() == stream.evaluation()
    for _ in range(3):
        assert torch.equal(counted.normal(101, CPU), stream.normal(101, CPU))


@pytest.mark.parametrize("member", [0, 2])
def test_networks_side_by_side_train_as_each_would_alone(member: int) -> None:
    together = BayesianModule(network(16, members=3), ScaleMixture(), seed=1)
    alone = BayesianModule(network(16), ScaleMixture())
    epsilon = together.epsilon()

    def of_member(flat: torch.Tensor) -> torch.Tensor:
        """A member's numbers in the order of a single network."""
        return torch.cat([each[member].flatten() for each in together.split(flat.detach()).values()])

    alone.mu.data.copy_(of_member(together.mu))
    alone.rho.data.copy_(of_member(together.rho))
    inputs, labels = torch.rand(BATCH, PIXELS), torch.randint(10, (BATCH,))
    draw = together.draw(epsilon)
    outputs, single = together(inputs, draw.weights), alone.draw(of_member(epsilon))
    torch.testing.assert_close(outputs[member], alone(inputs, single.weights), rtol=1e-4, atol=1e-4)
    for logits, kl in ((outputs, draw.kl), (alone(inputs, single.weights), single.kl)):
        classes = labels.expand(logits.shape[:-1]).flatten()
        nll = F.cross_entropy(logits.flatten(end_dim=-2), classes, reduction="sum")
        (nll + kl / 100).backward()
    for whole, part in ((together.mu.grad, alone.mu.grad), (together.rho.grad, alone.rho.grad)):
        assert whole is not None
        torch.testing.assert_close(of_member(whole), part, rtol=1e-3, atol=1e-3)


def test_a_recorded_step_forgets_its_trial_steps() -> None:
    """What it is tried out with must not count: parameters, moments, noise and the place in the epoch are put back."""
    plan = Plan(CPU, quick=True, seconds=60.0)
    inputs, labels = torch.rand(BATCH + 7, PIXELS), torch.randint(10, (BATCH + 7,))
    ends = []
    modes: tuple[Mode, ...] = ("eager", "captured")
    for mode in modes:
        torch.manual_seed(0)
        model = bayesian(network(8), ScaleMixture(), plan)
        training = Training(model, negative_elbo_of(model, len(inputs)), inputs, labels, mode)
        training.rate.fill_(1e-2)
        assert training.optimizer.param_groups[0]["lr"] == pytest.approx(1e-2)
        training.epoch()
        ends.append((model.mu.detach(), model.rho.detach()))
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_traffic_counts_the_weights_of_the_network() -> None:
    weights = sum(each.numel() for each in network(1200).parameters())
    assert weights == traffic.weights(1200)
    assert traffic.bytes_of_step(1200) == 4 * (27 * weights - 784 * 1200)
    assert traffic.bytes_of_step(1200, members=5) == 5 * traffic.bytes_of_step(1200)
