"""Maps from raw pixels or features to network inputs, the same for training, validation, test and prediction."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_vi.errors import UserError


@dataclass(frozen=True)
class Affine:
    """(x - shift) / scale, in plain numbers, so that a checkpoint can keep it as data.

    Attributes:
        shift: One number, or one for each entry of the last axis of x.
        scale: As many, none of them 0.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def __call__(self, raw: Tensor) -> Tensor:
        """Inputs (M, *input_shape), float32, of raw values of the same shape, in whose precision they are computed."""
        scale = raw.new_tensor(self.scale)
        # Without a shift there is no need for another tensor of the data's size.
        return ((raw - raw.new_tensor(self.shift) if any(self.shift) else raw) / scale).to(torch.float32)


class Scaling(ABC):
    """A rule that turns raw pixels or features into inputs."""

    @abstractmethod
    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """The map that is then applied to every split.

        Args:
            pixels: Raw values of the training split, with shape (N, *input_shape), floating point.
            maximum: The largest value that a pixel of the data set can take: 255, or 16 for `Digits`; of `Arrays` the
                largest in the training split.
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
        return Affine((0.0,), (self.divisor,))


@dataclass(frozen=True)
class UnitInterval(Scaling):
    """x / maximum, in [0, 1]."""

    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """See `Scaling.fit`.

        Raises:
            UserError: If the maximum is not positive.
        """
        if not maximum > 0:
            raise UserError(f"UnitInterval: the largest value (={maximum:g}) must be positive; choose another scaling.")
        return Affine((0.0,), (maximum,))


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
        return Affine((m.item(),), (s.item(),))


@dataclass(frozen=True)
class StandardiseEach(Scaling):
    """(x_j - m_j) / s_j, with m_j and s_j the mean and standard deviation of feature j over the training split.

    A feature that does not vary in the training split is divided by 1. Inputs with more than one axis, such as images,
    share one pair of numbers, as with `Standardise`.
    """

    def fit(self, pixels: Tensor, maximum: float) -> Affine:
        """See `Scaling.fit`; pixels are (N, F) features, or have more axes."""
        if pixels.ndim > 2:
            return Standardise().fit(pixels, maximum)
        s, m = torch.std_mean(pixels, dim=0, correction=0)
        # What rounding leaves of a constant feature's deviation is no unit to measure in.
        constant = s <= 10 * torch.finfo(s.dtype).eps * m.abs()
        return Affine(tuple(m.tolist()), tuple(s.masked_fill(constant, 1.0).tolist()))
