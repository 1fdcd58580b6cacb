"""What every implementation is given: the network's sizes, the training set's size, the optimiser and the priors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

EXAMPLES, BATCH = 50_000, 128
WIDE, NARROW = 1.0, math.exp(-6)  # standard deviations of the scale mixture's two components, in equal shares

LARGE = (784, 400, 400, 10)  # where the complexity has a closed form; the measured network
SMALL = (20, 16, 16, 5)  # where it takes an integral for each weight, and many draws

Step = Callable[[], object]


@dataclass(frozen=True)
class Peer:
    """One implementation's training step.

    Args:
        name: What the tables call it.
        prior: Which of ``benchmarks.step.PRIORS`` it has, and so which step of ours it is measured against.
        build: Makes the step of the network with hidden layers of so many units, given inputs and targets.
        bound: How many times faster ours should be.
    """

    name: str
    prior: str
    build: Callable[[int, torch.Tensor, torch.Tensor], Step]
    bound: float = 1.9


def sizes(units: int) -> tuple[int, ...]:
    """Layer sizes of the measured network."""
    return 784, units, units, 10


def sequential(widths: Sequence[int], linear: Callable[[int, int], nn.Module] = nn.Linear) -> nn.Sequential:
    """Linear layers with rectifiers between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def minibatch(widths: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs (B, D) and targets (B,)."""
    return torch.randn(BATCH, widths[0]), torch.randint(widths[-1], (BATCH,))


def gaussian_prior() -> Distribution:
    """N(0, 1)."""
    return Normal(0.0, 1.0)


def mixture_prior() -> Distribution:
    """The scale mixture, as ``torch.distributions`` has it."""
    return MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.zeros(2), torch.tensor([WIDE, NARROW])))
