"""The goal: 600 epochs of the 1200-unit mixture net in 3 minutes, five networks together in 6."""

import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu.plan import Plan
from benchmarks.gpu.report import Check, Report
from benchmarks.gpu.speed import MEMBERS, MIXTURE, size
from benchmarks.gpu.training import BATCH, PIXELS, RATE, Training, bayesian, negative_elbo_of, network
from lightning_vi.bayesian import BayesianModule
from lightning_vi.datamodules import MNIST, Digits
from lightning_vi.datamodules.images import ROOT_VARIABLE
from lightning_vi.predictive import sampled_outputs

EXAMPLES, EPOCHS = 50_000, 600
GOALS = {1: 3.0, MEMBERS: 6.0}  # minutes
DRAWS = 10


def run(plan: Plan, report: Report) -> None:
    """One network, then five at once."""
    data = Data(plan)
    for members, goal in GOALS.items():
        with report.check(f"600 epochs of {members} at once within {goal:g} minutes", rehearsal=not plan.cuda) as check:
            train(plan, report, check, data, members)


class Data:
    """MNIST where it is, else the bundled digits, enlarged and repeated; on the device.

    Attributes:
        training: Inputs (N, 784) and classes (N,); the times are scaled to 50,000 where there are fewer.
        test: The same of the test split.
        name: In words.
    """

    def __init__(self, plan: Plan) -> None:
        root = os.environ.get(ROOT_VARIABLE)
        there = root is not None and (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file()
        splits = MNIST().splits() if there and not plan.quick else Digits().splits()
        self.name = "MNIST" if there and not plan.quick else "enlarged digits"
        self.training = self._pair(splits.training.tensors, plan, plan.examples)
        self.test = self._pair(splits.test.tensors, plan, len(splits.test))

    def _pair(self, tensors: tuple[Tensor, ...], plan: Plan, count: int) -> tuple[Tensor, Tensor]:
        inputs, labels = tensors
        if inputs[0].numel() != PIXELS:
            inputs = F.interpolate(inputs, size=(28, 28), mode="bilinear")
        chosen = torch.arange(count) % len(inputs)
        return inputs[chosen].flatten(start_dim=1).to(plan.device), labels[chosen].to(plan.device)


def train(plan: Plan, report: Report, check: Check, data: Data, members: int) -> None:
    """Some epochs tell whether there is time for all of them."""
    units, goal = plan.units[0], GOALS[members]
    torch.manual_seed(0)
    model = bayesian(network(units, members), MIXTURE, plan, compiled=not plan.quick)
    training = Training(model, negative_elbo_of(model, len(data.training[0])), *data.training, "captured")
    few = 5 if plan.cuda else 1
    trial = seconds_of(plan, training, range(few))
    # Of what is left to this part the networks behind get their share.
    share = plan.left * (0.4 if members == 1 else 0.85)
    steps = math.ceil(EXAMPLES / BATCH) / math.ceil(len(data.training[0]) / BATCH)
    full = plan.cuda and trial / few * EPOCHS < share
    last = EPOCHS if full else few
    total = trial + seconds_of(plan, training, range(few, last))
    minutes = total * steps * EPOCHS / last / 60
    how = "in full" if full else f"extrapolated from {last} of {len(data.training[0]):,} images"
    report.figure(f"600 epochs, {members} at once, minutes, {how}", size(units), minutes, goal)
    errors = test_errors(model, *data.test)
    for number, error in enumerate(errors.tolist()):
        report.figure(
            f"test error after {last} epochs, {data.name}, %, network {number} of {members}", size(units), error
        )
    finite = all(bool(each.isfinite().all()) for each in model.parameters())
    check.require(finite, f"{minutes:.3g} minutes, {how}")
    if plan.cuda and not plan.quick:
        check.require(minutes < goal, f"goal {goal:g}")


def seconds_of(plan: Plan, training: Training, epochs: range) -> float:
    """Train, with an order of its own and a rate on the cosine to 0 for each epoch."""
    plan.synchronize()
    start = time.perf_counter()
    for epoch in epochs:
        training.order.copy_(torch.randperm(len(training.order), device=plan.device))
        training.rate.fill_(0.5 * RATE * (1.0 + math.cos(math.pi * epoch / EPOCHS)))
        training.epoch()
    plan.synchronize()
    return time.perf_counter() - start


@torch.no_grad()
def test_errors(model: BayesianModule, inputs: Tensor, labels: Tensor) -> Tensor:
    """In percent, of each network, shape (E,); probabilities are averaged over ten draws."""
    outputs = sampled_outputs(model, inputs, DRAWS)  # (S, B, K) or (S, E, B, K)
    probabilities = outputs.softmax(dim=-1).mean(dim=0).reshape(-1, *outputs.shape[-2:])
    return 100.0 * (probabilities.argmax(dim=-1) != labels).double().mean(dim=-1)
