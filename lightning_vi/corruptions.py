"""Corruption of inputs, for autoencoders that learn to undo it.

References:
    Vincent, Larochelle, Bengio, Manzagol 2008, Extracting and Composing Robust Features with Denoising Autoencoders,
    section 2.3. Vincent et al. 2010, Stacked Denoising Autoencoders, section 3.3.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_vi.errors import UserError


class Corruption(ABC):
    """A random map of inputs."""

    @abstractmethod
    def __call__(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Corrupted inputs, same shape (B, ...).

        Args:
            inputs: (B, ...)
            generator: Of the noise; by default PyTorch's global one.
        """


@dataclass(frozen=True)
class Masking(Corruption):
    """Sets each input to 0 with probability p.

    Raises:
        UserError: unless p lies in [0, 1).
    """

    p: float = 0.25

    def __post_init__(self) -> None:
        if not 0.0 <= self.p < 1.0:
            raise UserError(f"Masking: p (={self.p}) must lie in [0, 1).")

    def __call__(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Corruption.__call__`."""
        uniform = torch.rand(inputs.shape, generator=generator, device=inputs.device)
        return inputs * (uniform >= self.p)


@dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Adds N(0, sigma^2) to each input.

    Raises:
        UserError: unless sigma is finite and not negative.
    """

    sigma: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 <= self.sigma < math.inf:
            raise UserError(f"GaussianNoise: sigma (={self.sigma}) must be finite and not negative.")

    def __call__(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Corruption.__call__`."""
        return inputs + self.sigma * torch.randn(
            inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype
        )
