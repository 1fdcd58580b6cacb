"""The fully factorised Gaussian posterior q(w_i) = N(w_i | mu_i, sigma_i^2), up to how rho gives sigma."""

import math
from abc import ABC, abstractmethod

from torch import Tensor

from lightning_vi.errors import UserError


def inverse_softplus(value: float) -> float:
    """The x for which log(1 + e^x) = value > 0."""
    return value + math.log(-math.expm1(-value))


class FactorisedGaussian(ABC):
    """q(w) = prod_i N(w_i | mu_i, sigma(rho_i)^2); subclasses say what sigma(rho) is.

    Args:
        initial_sigma: Standard deviation of every weight before training, > 0. The default is softplus(-5), which
            is small beside the usual spread of the means, so that training starts from a working network.
    """

    def __init__(self, initial_sigma: float = 0.0067) -> None:
        if not 0.0 < initial_sigma < math.inf:
            raise UserError(f"{type(self).__name__}: initial_sigma (={initial_sigma}) must be > 0 and finite.")
        self.initial_sigma = initial_sigma

    def __repr__(self) -> str:
        return f"{type(self).__name__}(initial_sigma={self.initial_sigma:.6g})"

    @property
    @abstractmethod
    def initial_rho(self) -> float:
        """The rho at which sigma(rho) is ``initial_sigma``."""

    @abstractmethod
    def sigma_and_slope(self, rho: Tensor) -> tuple[Tensor, Tensor]:
        """sigma(rho) > 0 and d sigma / d rho, elementwise; any shape."""

    def sigma(self, rho: Tensor) -> Tensor:
        """Standard deviations, elementwise; any shape."""
        return self.sigma_and_slope(rho)[0]
