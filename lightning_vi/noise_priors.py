"""The easy distributions p(z) that a generator starts from.

Each is what a function makes of standard normal variables, so that paths and grids of them can be drawn for any p(z):
z = T(h), h ~ N(0, I).
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from lightning_vi.errors import UserError


class NoisePrior(ABC):
    """p(z) of independent variables.

    Args:
        size: D, number of variables.

    Raises:
        UserError: If there are none.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise UserError(f"{type(self).__name__}: size (={size}) must be at least 1.")
        self.size = size

    @abstractmethod
    def from_normal(self, normal: Tensor) -> Tensor:
        """T(h), elementwise: its distribution is p(z) for h ~ N(0, I)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"

    def draw(self, count: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
        """z ~ p(z), shape (count, D)."""
        return self.from_normal(torch.randn(count, self.size, device=device, generator=generator))


class Gaussian(NoisePrior):
    """N(0, I)."""

    def __init__(self, size: int = 100) -> None:
        super().__init__(size)

    def from_normal(self, normal: Tensor) -> Tensor:
        """See `NoisePrior.from_normal`."""
        return normal


class Uniform(NoisePrior):
    """Uniform on [-width / 2, width / 2]; by default of variance 1, as of Goodfellow et al. (2014).

    Args:
        size: D.
        width: Of the interval.

    Raises:
        UserError: Unless the width is positive and finite.
    """

    def __init__(self, size: int = 100, width: float = 2.0 * math.sqrt(3.0)) -> None:
        super().__init__(size)
        if not 0.0 < width < math.inf:
            raise UserError(f"Uniform: width (={width}) must be positive and finite.")
        self.width = width

    def from_normal(self, normal: Tensor) -> Tensor:
        """See `NoisePrior.from_normal`."""
        shares: Tensor = torch.special.ndtr(normal)
        return self.width * (shares - 0.5)
