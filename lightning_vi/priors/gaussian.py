"""The Gaussian prior, whose divergence from a Gaussian posterior has a closed form."""

import math
from dataclasses import dataclass

from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional.divergence import gaussian_kl, gaussian_log_prob
from lightning_vi.priors.prior import Prior


@dataclass(frozen=True)
class Gaussian(Prior):
    """p(w) = N(w | mean, sigma^2).

    Args:
        sigma: Standard deviation, > 0.
        mean: Mean.
    """

    sigma: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma < math.inf:
            raise UserError(f"Gaussian prior: sigma (={self.sigma}) must be > 0 and finite.")

    def log_prob(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.log_prob`."""
        return gaussian_log_prob(weights, self.mean, self.sigma)

    def score(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.score`."""
        return (self.mean - weights) * self.sigma**-2

    def complexity(self, mu: Tensor, sigma: Tensor, epsilon: Tensor) -> Tensor:
        """The divergence itself, whatever epsilon."""
        return gaussian_kl(mu, sigma, self.mean, self.sigma)

    def score_of_draw(self, mu: Tensor, sigma: Tensor, epsilon: Tensor) -> None:
        """None: the divergence does not depend on the draw."""

    def complexity_gradient(
        self, mu: Tensor, sigma: Tensor, epsilon: Tensor, score: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`Prior.complexity_gradient`."""
        precision = self.sigma**-2
        return (mu - self.mean) * precision, sigma * precision - sigma.reciprocal()
