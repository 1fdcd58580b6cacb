"""Five networks trained side by side, as one model and one after another; fused SGD, batch 128.

Deterministic networks, and Bayesian ones with a Gaussian prior and compiled loops.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.pairs import Row, alternate
from benchmarks.step import SGD, bayesian, deterministic, training_step
from lightning_vi.bayesian import BayesianModule
from lightning_vi.modules import DeepEnsemble, MeanField
from lightning_vi.networks import MLP, StackedNetworks
from lightning_vi.objectives import Epoch
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian

MEMBERS = 5
BAYESIAN = (32, 100, 400)  # each size compiles graphs of its own, which takes longer than the measurement
Step = Callable[[], None]


def stacked(units: int, x: torch.Tensor, y: torch.Tensor, batched: bool | None) -> Step:
    """A step of all networks, each on minibatches of its own."""
    networks = StackedNetworks([MLP((784,), 10, [units, units]) for _ in range(MEMBERS)], input_dims=1)
    networks.batched = batched
    return training_step(
        lambda: F.cross_entropy(networks(x).flatten(0, 1), y.flatten()) * MEMBERS, SGD(networks.parameters())
    )


def stacked_bayesian(units: int, x: torch.Tensor, y: torch.Tensor, batched: bool | None) -> Step:
    """The same on the negative ELBO of each."""
    module = DeepEnsemble(
        lambda shape, size: MLP(shape, size, [units, units]),
        *((784,), 10, MEMBERS),
        mean_field=MeanField(Gaussian(1.0), SoftplusScale()),
    )
    networks, epoch = module.networks, Epoch(50_000, 50_000, 391)
    assert isinstance(networks, BayesianModule)
    assert isinstance(networks.net, StackedNetworks)
    networks.net.batched = batched
    if not networks.compile_draws():
        raise RuntimeError("the loops could not be compiled")
    return training_step(lambda: module.objective((x, y), 0, epoch).loss * MEMBERS, SGD(module.parameters()))


def all_of(steps: list[Step]) -> Step:
    """A step of each of five modules with optimizers of their own, as five runs would do."""

    def step() -> None:
        for each in steps:
            each()

    return step


def rows(repeats: int) -> list[Row]:
    """What is chosen against five separate networks; and both ways against each other."""
    result = []
    for units in (16, 32, 64, 100, 400):
        x, y = torch.randn(MEMBERS, 128, 784), torch.randint(10, (MEMBERS, 128))
        batches = list(zip(x, y, strict=True))
        ways = {"networks": (stacked, [deterministic(units, *batch) for batch in batches])}
        if units in BAYESIAN:
            ways["BBB networks"] = (
                stacked_bayesian,
                [bayesian(units, *batch, prior=Gaussian(1.0)) for batch in batches],
            )
        for name, (together, separate) in ways.items():
            functions = {
                "separate": all_of(separate),
                "chosen": together(units, x, y, None),
                "one model": together(units, x, y, True),
                "one after another": together(units, x, y, False),
            }
            times, size = alternate(functions, repeats), f"784-{units}-{units}-10"
            what = f"{MEMBERS} {name}, DeepEnsemble's way, {MEMBERS} separate"
            bound = 1.05 if together is stacked else None
            result.append(Row(what, size, times["chosen"], times["separate"], bound))
            what = f"{MEMBERS} {name}, one model, one after another"
            result.append(Row(what, size, times["one model"], times["one after another"]))
    return result
