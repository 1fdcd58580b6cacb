"""What an estimator of the expected log likelihood gives, whatever its way of drawing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.noise import NoiseStream


class Estimate(NamedTuple):
    """Network outputs under S draws, and the price of the posterior.

    Attributes:
        outputs: Shape (S, B, ...).
        kl: Shape (), nats summed over weights, averaged over draws.
    """

    outputs: Tensor
    kl: Tensor


class Estimator(ABC):
    """An unbiased, differentiable estimator of E_q[log p(y | f_W(x))] and of KL[q || p].

    Args:
        samples: Number S of draws per step; their average has 1/S of the variance.
        antithetic: Use draws in pairs with noise epsilon and -epsilon. Each is a draw from the posterior still, and
            in the pair's average all that is odd in epsilon cancels.

    Raises:
        UserError: If ``samples`` is not positive, or odd with ``antithetic``.
    """

    def __init__(self, samples: int = 1, antithetic: bool = False) -> None:
        name = type(self).__name__
        if samples < 1:
            raise UserError(f"{name}: samples (={samples}) must be at least 1.")
        if antithetic and samples % 2:
            raise UserError(
                f"{name}: samples (={samples}) must be even with antithetic=true, since draws come in pairs."
            )
        self.samples = samples
        self.antithetic = antithetic

    def __repr__(self) -> str:
        return f"{type(self).__name__}(samples={self.samples}, antithetic={self.antithetic})"

    @abstractmethod
    def __call__(self, model: BayesianModule, inputs: Tensor) -> Estimate:
        """Run the network S times.

        Args:
            model: The Bayesian network.
            inputs: Shape (B, ...).
        """

    def _noise(self, model: BayesianModule) -> Iterator[tuple[NoiseStream, float]]:
        """For each run the stream that its noise is the next of, and the noise's sign."""
        for number in range(self.samples):
            if self.antithetic and number % 2 == 0:
                replay = replace(model.noise)
                yield model.noise, 1.0
            elif self.antithetic:
                yield replay, -1.0
            else:
                yield model.noise, 1.0
