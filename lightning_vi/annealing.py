"""Annealing of the weight beta of a KL term, as a function of the epochs trained.

Position t counts epochs with their fraction, so that a resumed run finds its place without any state.

References:
    Bowman et al. 2016, Generating Sentences from a Continuous Space, section 3.1 (linear).
    Fu et al. 2019, Cyclical Annealing Schedule, equation 6 (cyclical).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from lightning_vi.errors import UserError


class Annealing(ABC):
    """beta(t) for t epochs trained, t >= 0."""

    @abstractmethod
    def __call__(self, epochs: float) -> float:
        """The weight after this many epochs, fractions included."""


@dataclass(frozen=True)
class Constant(Annealing):
    """beta(t) = beta. One is the ELBO; anything else a beta-VAE.

    References:
        Higgins et al. 2017, beta-VAE, equation 4.

    Raises:
        UserError: unless beta is finite and not negative.
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        _require_weights(self, "beta")

    def __call__(self, epochs: float) -> float:
        """See `Annealing.__call__`."""
        return self.beta


@dataclass(frozen=True)
class Linear(Annealing):
    """beta(t) = start + (end - start) min(t / epochs, 1).

    Args:
        epochs: How long beta takes from start to end.
        start: beta at the start.
        end: beta from t = epochs on.

    Raises:
        UserError: unless the epochs are positive, and both ends finite and not negative.
    """

    epochs: float
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        _require_weights(self, "start", "end")
        _require_epochs(self, self.epochs)

    def __call__(self, epochs: float) -> float:
        """See `Annealing.__call__`."""
        return self.start + (self.end - self.start) * min(epochs / self.epochs, 1.0)


@dataclass(frozen=True)
class Cyclical(Annealing):
    """Again and again from 0 to beta: up in a straight line over the first part of a period, then constant.

    Args:
        epochs: Length of a period.
        rise: Part of the period in which beta grows, in (0, 1].
        beta: What it grows to.

    Raises:
        UserError: unless the epochs are positive, rise lies in (0, 1], and beta is finite and not negative.
    """

    epochs: float
    rise: float = 0.5
    beta: float = 1.0

    def __post_init__(self) -> None:
        _require_weights(self, "beta")
        _require_epochs(self, self.epochs)
        if not 0.0 < self.rise <= 1.0:
            raise UserError(f"Cyclical: rise (={self.rise}) must lie in (0, 1].")

    def __call__(self, epochs: float) -> float:
        """See `Annealing.__call__`."""
        phase = (epochs / self.epochs) % 1.0
        return self.beta * min(phase / self.rise, 1.0)


def _require_weights(annealing: Annealing, *names: str) -> None:
    for name in names:
        value = getattr(annealing, name)
        if not 0.0 <= value < math.inf:
            raise UserError(f"{type(annealing).__name__}: {name} (={value}) must be finite and not negative.")


def _require_epochs(annealing: Annealing, epochs: float) -> None:
    if not 0.0 < epochs < math.inf:
        raise UserError(f"{type(annealing).__name__}: epochs (={epochs}) must be positive and finite.")
