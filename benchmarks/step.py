"""A Bayes by Backprop step against a deterministic one, on 784-U-U-10 with minibatches of 128."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.pairs import Row, alternate
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Categorical
from lightning_vi.networks import MLP
from lightning_vi.objectives import Epoch, negative_elbo
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian, Prior, ScaleMixture

PRIORS: dict[str, tuple[Prior, float]] = {
    "Gaussian prior": (Gaussian(1.0), 1.9),
    "scale mixture": (ScaleMixture(0.5, 1.0, math.exp(-6)), 2.2),
}


def deterministic(units: int, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """Zero the gradients, forward, cross-entropy, backward, fused SGD."""
    net = MLP((784,), 10, [units, units])
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def bayesian(units: int, x: torch.Tensor, y: torch.Tensor, prior: Prior, compiled: bool) -> Callable[[], None]:
    """The same on the negative ELBO, the value of the complexity term included."""
    model = BayesianModule(MLP((784,), 10, [units, units]), prior, SoftplusScale())
    if compiled and not model.compile_draws():
        raise RuntimeError("the loops could not be compiled")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=True)
    estimator, likelihood, epoch = WeightSampling(), Categorical(), Epoch(50_000, 50_000, 391)

    def step() -> None:
        optimizer.zero_grad()
        negative_elbo(estimator(model, x), likelihood, y, 1 / 391, epoch).loss.backward()
        optimizer.step()

    return step


def rows(repeats: int) -> list[Row]:
    """Both priors and both sizes, compiled; and the eager fallback for comparison."""
    result = []
    for units in (400, 1200):
        x, y = torch.randn(128, 784), torch.randint(10, (128,))
        functions = {"deterministic": deterministic(units, x, y)}
        for name, (prior, _) in PRIORS.items():
            functions[name] = bayesian(units, x, y, prior, compiled=True)
            functions[f"{name}, eager fallback"] = bayesian(units, x, y, prior, compiled=False)
        times = alternate(functions, repeats)
        for name in functions:
            if name != "deterministic":
                bound = PRIORS[name][1] if name in PRIORS else None
                size = f"784-{units}-{units}-10"
                result.append(Row(f"BBB step, {name}", size, times[name], times["deterministic"], bound))
    return result
