"""What an estimator of the expected log likelihood gives, whatever its way of drawing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError


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

    def __call__(self, model: BayesianModule, inputs: Tensor) -> Estimate:
        """Run the network S times.

        Args:
            model: The Bayesian network.
            inputs: Shape (B, ...).
        """
        outputs, kls = zip(*(self._run(model, inputs, epsilon) for epsilon in self._epsilons(model)), strict=True)
        if self.samples == 1:
            return Estimate(outputs[0].unsqueeze(0), kls[0])
        return Estimate(torch.stack(outputs), torch.stack(kls).mean())

    def _epsilons(self, model: BayesianModule) -> Iterator[Tensor]:
        if self.antithetic:
            for _ in range(self.samples // 2):
                epsilon = model.epsilon()
                yield epsilon
                yield -epsilon
        else:
            for _ in range(self.samples):
                yield model.epsilon()

    @abstractmethod
    def _run(self, model: BayesianModule, inputs: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, shape (B, ...), and the complexity, shape (), of one run with weight noise (n,)."""
