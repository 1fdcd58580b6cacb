r"""The scale mixture of two Gaussians, or spike and slab.

.. math:: p(w) = \pi\, N(w \mid 0, \sigma_1^2) + (1 - \pi)\, N(w \mid 0, \sigma_2^2).

With a = log(pi) + log N(w | 0, sigma1^2) and b its counterpart, log p = max(a, b) + log(1 + e^-|a - b|) stays finite
where the densities themselves underflow: at w = 5 with sigma2 = e^-8 the narrow one is e^-1.1e8.

References:
    Blundell, Cornebise, Kavukcuoglu and Wierstra (2015), Weight Uncertainty in Neural Networks, equation 7.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional import elementary
from lightning_vi.functional.divergence import gaussian_log_prob
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
        if not 0.0 < self.sigma2 < self.sigma1:
            raise UserError(
                f"ScaleMixture: sigma2 (={self.sigma2}) must be > 0 and < sigma1 (={self.sigma1}): "
                "the first component is the wide one."
            )

    def log_prob(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.log_prob`."""
        wide = gaussian_log_prob(weights, 0.0, self.sigma1) + math.log(self.pi)
        narrow = gaussian_log_prob(weights, 0.0, self.sigma2) + math.log1p(-self.pi)
        return torch.maximum(wide, narrow) + elementary.log1p_exp_neg((wide - narrow).abs())

    def score(self, weights: Tensor) -> Tensor:
        """See :meth:`Prior.score`; -w (r / sigma1^2 + (1 - r) / sigma2^2) with r the wide component's share at w."""
        precision1, precision2 = self.sigma1**-2, self.sigma2**-2
        offset = math.log(self.pi) - math.log1p(-self.pi) + math.log(self.sigma2 / self.sigma1)
        log_odds = offset + (0.5 * (precision2 - precision1)) * weights.square()
        # r and 1 - r are both formed from e^-|log odds|: 1 - r by subtraction would lose all digits where
        # r is near 1, and precision2 (9e6 for sigma2 = e^-8) would blow up what is left. Beyond 60 the smaller
        # share is nothing, but denormal numbers would slow the loop tenfold.
        t = torch.exp(-log_odds.abs().clamp(max=60.0))
        larger = (1.0 + t).reciprocal()
        smaller = t * larger
        wide = log_odds >= 0.0
        share1 = torch.where(wide, larger, smaller)
        share2 = torch.where(wide, smaller, larger)
        return -weights * (share1 * precision1 + share2 * precision2)
