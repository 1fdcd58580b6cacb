"""A Bayes by Backprop step against a deterministic one, on 784-U-U-10 with minibatches of 128."""

import math
from collections.abc import Callable, Iterable
from functools import partial

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
    "Gaussian prior": (Gaussian(1.0), 1.65),
    "scale mixture": (ScaleMixture(0.5, 1.0, math.exp(-6)), 1.8),
}
Optimizer = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]
SGD: Optimizer = partial(torch.optim.SGD, lr=1e-3, fused=True)
ADAM: Optimizer = partial(torch.optim.Adam, lr=1e-3, fused=True)


def training_step(loss: Callable[[], torch.Tensor], optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Zero the gradients, forward, loss, backward, the optimizer's step."""

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def deterministic(units: int, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """A step on the cross-entropy, by fused SGD."""
    net = MLP((784,), 10, [units, units])
    return training_step(lambda: F.cross_entropy(net(x), y), SGD(net.parameters()))


def bayesian(
    units: int,
    x: torch.Tensor,
    y: torch.Tensor,
    prior: Prior,
    compiled: bool = True,
    optimizer: Optimizer = SGD,
    bfloat16: bool = False,
) -> Callable[[], None]:
    """The same on the negative ELBO, the value of the complexity term included; or as bf16-mixed runs it."""
    model = BayesianModule(MLP((784,), 10, [units, units]), prior, SoftplusScale())
    if compiled and not model.compile_draws():
        raise RuntimeError("the loops could not be compiled")
    estimator, likelihood, epoch = WeightSampling(), Categorical(), Epoch(50_000, 50_000, 391)

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return negative_elbo(estimator(model, x), likelihood, y, 1 / 391, epoch).loss

    return training_step(loss, optimizer(model.parameters()))


def rows(repeats: int) -> list[Row]:
    """Both priors and both sizes, compiled, by SGD and by Adam; and the eager fallback for comparison."""
    result = []
    for units in (400, 1200):
        x, y = torch.randn(128, 784), torch.randint(10, (128,))
        functions = {"deterministic": deterministic(units, x, y)}
        bounds: dict[str, float | None] = {}
        for name, (prior, bound) in PRIORS.items():
            functions[name] = bayesian(units, x, y, prior)
            functions[f"{name}, Adam"] = bayesian(units, x, y, prior, optimizer=ADAM)
            functions[f"{name}, eager fallback"] = bayesian(units, x, y, prior, compiled=False)
            bounds |= {name: bound, f"{name}, Adam": 1.85}
        times = alternate(functions, repeats)
        size = f"784-{units}-{units}-10"
        result += [
            Row(f"BBB step, {name}", size, time, times["deterministic"], bounds.get(name))
            for name, time in times.items()
            if name != "deterministic"
        ]
    return result
