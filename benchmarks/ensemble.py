"""Five networks trained side by side: as one model, and one after another; deterministic, fused SGD, batch 128."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.pairs import Row, alternate
from benchmarks.step import SGD, deterministic, training_step
from lightning_vi.networks import MLP, StackedNetworks

MEMBERS = 5


def stacked(units: int, x: torch.Tensor, y: torch.Tensor, batched: bool | None) -> Callable[[], None]:
    """A step of all networks, each on minibatches of its own."""
    networks = StackedNetworks([MLP((784,), 10, [units, units]) for _ in range(MEMBERS)], input_dims=1)
    networks.batched = batched
    return training_step(
        lambda: F.cross_entropy(networks(x).flatten(0, 1), y.flatten()) * MEMBERS, SGD(networks.parameters())
    )


def separate(units: int, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """A step of each of five modules with optimizers of their own, as five runs would do."""
    steps = [deterministic(units, inputs, targets) for inputs, targets in zip(x, y, strict=True)]

    def step() -> None:
        for each in steps:
            each()

    return step


def rows(repeats: int) -> list[Row]:
    """What is chosen against five separate networks; and both ways against each other."""
    result = []
    for units in (16, 32, 64, 100, 400):
        x, y = torch.randn(MEMBERS, 128, 784), torch.randint(10, (MEMBERS, 128))
        times = alternate(
            {
                "separate": separate(units, x, y),
                "chosen": stacked(units, x, y, None),
                "one model": stacked(units, x, y, True),
                "one after another": stacked(units, x, y, False),
            },
            repeats,
        )
        size = f"784-{units}-{units}-10"
        result.append(Row("5 networks, DeepEnsemble's way, 5 separate", size, times["chosen"], times["separate"], 1.05))
        result.append(
            Row("5 networks, one model, one after another", size, times["one model"], times["one after another"])
        )
    return result
