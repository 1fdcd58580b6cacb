r"""The scale mixture of two Gaussians, or spike and slab.

.. math:: p(w) = \pi\, N(w \mid 0, \sigma_1^2) + (1 - \pi)\, N(w \mid 0, \sigma_2^2).

With a = log(pi) + log N(w | 0, sigma1^2) and b its counterpart, log p = a + max(0, b - a) + log(1 + e^-|b - a|) is
finite where the densities themselves underflow: at w = 5 with sigma2 = e^-8 the narrow one is e^-1.1e8.

References:
    Blundell, Cornebise, Kavukcuoglu and Wierstra (2015), Weight Uncertainty in Neural Networks, equation 7.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional import elementary
from lightning_vi.functional.divergence import HALF_LOG_TWO_PI, gaussian_log_prob
from lightning_vi.priors.prior import Prior


@dataclass(frozen=True)
class ScaleMixture(Prior):
    """p(w) = pi N(w | 0, sigma1^2) + (1 - pi) N(w | 0, sigma2^2).

    The defaults are the lecture's: equal shares, variances 1 and 0.001.

    Args:
        pi: Share of the first, wide component, in (0, 1).
        sigma1: Standard deviation of the first component.
        sigma2: Standard deviation of the second component, 0 < sigma2 < sigma1.
    """

    pi: float = 0.5
    sigma1: float = 1.0
    sigma2: float = 1e-3**0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.pi < 1.0:
            raise UserError(f"ScaleMixture: pi (={self.pi}) must lie in (0, 1).")
        if not 0.0 < self.sigma2 < self.sigma1 < math.inf:
            raise UserError(
                f"ScaleMixture: sigma2 (={self.sigma2}) must be > 0 and < sigma1 (={self.sigma1}), "
                "which must be finite: the first component is the wide one."
            )

    def _log_odds(self, weights: Tensor) -> Tensor:
        """Log of the wide component's share at w over the narrow one's, elementwise."""
        offset = math.log(self.pi) - math.log1p(-self.pi) + math.log(self.sigma2 / self.sigma1)
        return offset + 0.5 * (self.sigma2**-2 - self.sigma1**-2) * weights.square()

    def log_prob(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.log_prob`."""
        wide = gaussian_log_prob(weights, 0.0, self.sigma1) + math.log(self.pi)
        log_odds = self._log_odds(weights)
        return wide + (-log_odds).clamp(min=0.0) + elementary.log1p_exp_neg(log_odds.abs())

    def complexity(self, mu: Tensor, sigma: Tensor, epsilon: Tensor) -> Tensor:
        """See :meth:`Prior.complexity`; log sigma and log(1 + e^-|b - a|) are one logarithm, to save time."""
        weights = mu + sigma * epsilon
        log_odds = self._log_odds(weights)
        wide = gaussian_log_prob(weights, 0.0, self.sigma1) + math.log(self.pi)
        logarithm = elementary.log(sigma * (1.0 + elementary.exp_neg(log_odds.abs())))
        return -HALF_LOG_TWO_PI - 0.5 * epsilon.square() - wide - (-log_odds).clamp(min=0.0) - logarithm

    def score(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.score`; -w (r / sigma1^2 + (1 - r) / sigma2^2) with r the wide component's share at w."""
        log_odds = self._log_odds(weights)
        # With t = e^-|log odds| the shares are 1 / (1 + t) and t / (1 + t): the smaller one by subtraction from 1 would
        # lose all digits, and its precision 1 / sigma2^2 (9e6 for sigma2 = e^-8) blow up what is left.
        t = elementary.exp_neg(log_odds.abs())
        wide, narrow = self.sigma1**-2, self.sigma2**-2
        larger = torch.where(log_odds >= 0.0, torch.full_like(log_odds, wide), narrow)  # two numbers make a float32
        smaller = (wide + narrow) - larger
        return -weights * ((larger + t * smaller) / (1.0 + t))
