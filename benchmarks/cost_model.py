"""The cost model of docs/scaling.md against measurements: what a Bayes by Backprop step adds, in time and memory.

    time = that of a deterministic step + weights x ADDED,      memory = weights x bytes,

with one figure taken from one size, 784-1200-1200-10 with 128 examples, one draw and SGD: the nanoseconds that a draw,
its gradients and the update of two numbers instead of one add for a weight, whatever the minibatch. The others are
predicted.
"""

import subprocess
import sys
from collections.abc import Callable

import torch

from benchmarks.pairs import Row, alternate
from benchmarks.step import bayesian, deterministic
from lightning_vi.priors import Gaussian

# Bytes of float32 for each weight: mu, rho, their gradients; epsilon, the draw, its gradient; where there is one, the
# score of the draw; and two moments each.
BYTES = {"Gaussian, SGD": 28, "ScaleMixture, SGD": 32, "Gaussian, Adam": 44, "ScaleMixture, Adam": 48}
PEAK = """
import sys, torch
from pathlib import Path
from torch import nn
from lightning_vi.bayesian import BayesianModule
from lightning_vi.priors import Gaussian, ScaleMixture
torch.set_num_threads(1)
def peak():
    # Not ru_maxrss, which a process inherits from the one that starts it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
def train(size, prior, optimizer):
    net = nn.Linear(size, size, bias=False)
    model = BayesianModule(net, prior)
    del net
    assert model.compile_draws()
    steps = optimizer(model.parameters(), lr=1e-3, fused=True)
    for _ in range(3):
        steps.zero_grad()
        draw = model.draw()
        (model(torch.ones(1, size), draw.weights).sum() + draw.kl).backward()
        del draw
        steps.step()
prior = {"Gaussian": Gaussian, "ScaleMixture": ScaleMixture}[sys.argv[1]]()
optimizer = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}[sys.argv[2]]
train(64, prior, optimizer)
before = peak()
train(5000, prior, optimizer)
print((peak() - before) / 5000**2)
"""


def peak_bytes(prior: str, optimizer: str) -> float:
    """Bytes for each weight that training adds to a process, at its peak."""
    command = [sys.executable, "-c", PEAK, prior, optimizer]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def rows(repeats: int) -> list[Row]:
    """Measured against predicted."""
    result = []
    for name, expected in BYTES.items():
        measured = peak_bytes(*name.split(", "))
        result.append(Row(f"bytes per weight, {name}, against the model", "5000-5000", measured, expected))
    steps: dict[str, Callable[[], None]] = {}
    sizes = [(units, examples) for units in (400, 1200) for examples in (32, 128, 512)]
    for units, examples in sizes:
        x, y = torch.randn(examples, 784), torch.randint(10, (examples,))
        steps[f"{units} {examples} deterministic"] = deterministic(units, x, y)
        steps[f"{units} {examples} Bayesian"] = bayesian(units, x, y, Gaussian(1.0))
    times = alternate(steps, repeats)
    extra = times["1200 128 Bayesian"] - times["1200 128 deterministic"]
    weights = {units: 785 * units + (units + 1) * units + (units + 1) * 10 for units in (400, 1200)}
    for units, examples in sizes:
        if (units, examples) == (1200, 128):  # which the figure is taken from
            continue
        predicted = times[f"{units} {examples} deterministic"] + extra * weights[units] / weights[1200]
        name = f"BBB step, {examples} examples, against the model"
        result.append(Row(name, f"784-{units}-{units}-10", times[f"{units} {examples} Bayesian"], predicted))
    return result
