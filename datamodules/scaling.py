"""Maps from raw pixels to network inputs, the same for training, validation and test."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_vi.errors import UserError


@dataclass(frozen=True)
class Affine:
    """(x - shift) / scale: what a checkpoint keeps of a scaling, so that its model can be given other pixels."""

    shift: float
    scale: float

    def __call__(self, raw: Tensor) -> Tensor:
        """Inputs (M, *input_shape) of raw pixels of the same shape, both float32."""
        return (raw - self.shift) / self.scale


class Scaling(ABC):
    """A rule that turns raw pixels into inputs."""

    @abstractmethod
    def fit(self, pixels: Tensor, maximum: float) -> Callable[[Tensor], Tensor]:
        """The map that is then applied to every split.

        Args:
            pixels: Raw pixels of the training split, with shape (N, *input_shape), float32.
            maximum: The largest value that a pixel of the data set can take: 255, or 16 for `Digits`.

        Returns:
            A map from raw pixels (M, *input_shape) to inputs of the same shape, both float32; a checkpoint keeps it
            if it is an `Affine`.
        """


@dataclass(frozen=True)
class Divide(Scaling):
    """x / divisor; the default sends 0, ..., 255 to [0, 2.02].

    References:
        Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.1: pixels are divided by 126.

    Raises:
        UserError: If the divisor is not positive.
    """

    divisor: float = 126.0

    def __post_init__(self) -> None:
        if not self.divisor > 0:
            raise UserError(f"Divide: divisor (={self.divisor}) must be positive.")

    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """See `Scaling.fit`."""
        return Affine(0.0, self.divisor)


@dataclass(frozen=True)
class UnitInterval(Scaling):
    """x / maximum, in [0, 1]."""

    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """See `Scaling.fit`."""
        return Affine(0.0, maximum)


@dataclass(frozen=True)
class Standardise(Scaling):
    """(x - m) / s, with m and s the mean and standard deviation over all pixels of the training split together.

    One pair of numbers, not one for each pixel: the pixels at the border never vary.
    """

    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """See `Scaling.fit`.

        Raises:
            UserError: If all pixels are equal.
        """
        s, m = torch.std_mean(pixels, correction=0)
        if s == 0:
            raise UserError("Standardise: all training pixels are equal; choose another scaling.")
        return Affine(m.item(), s.item())
