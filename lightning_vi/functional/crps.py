r"""The continuous ranked probability score, which is to a density what the absolute error is to a number.

.. math:: \mathrm{CRPS}(F, y) = \int (F(t) - 1[y \le t])^2 \, dt = E|X - y| - \tfrac12 E|X - X'|, \quad X, X' \sim F

in units of the target; 0 is perfect. For a mixture of S Gaussians with equal shares

.. math:: \mathrm{CRPS} = \frac1S \sum_i A(y - m_i, s_i) - \frac1{2 S^2} \sum_{i,j} A(m_i - m_j, \sqrt{s_i^2 + s_j^2}),

where A(m, s) is the mean of the absolute value of a draw from N(m, s^2).

References:
    Gneiting and Raftery (2007), Strictly Proper Scoring Rules, Prediction, and Estimation, section 4.2. Of a mixture:
    Grimit, Gneiting, Berrocal and Johnson (2006), The continuous ranked probability score for circular variables and
    its application to mesoscale forecast ensemble verification.
"""

import math

import torch
from torch import Tensor


def gaussian_mixture_crps(mean: Tensor, sigma: Tensor, targets: Tensor) -> Tensor:
    """CRPS of each dimension of each target, shape (B, D), in units of the target.

    Time is quadratic in S, memory linear.

    Args:
        mean: (S, B, D), of the components.
        sigma: (S, B, D), their standard deviations, positive.
        targets: (B, D)
    """
    draws = len(mean)
    pairs = (2 / math.sqrt(math.pi) * sigma).sum(dim=0)  # of each component with itself
    for i in range(1, draws):
        apart = _mean_absolute(mean[i] - mean[:i], torch.hypot(sigma[i].expand_as(sigma[:i]), sigma[:i]))
        pairs = pairs + 2 * apart.sum(dim=0)
    return _mean_absolute(targets - mean, sigma).mean(dim=0) - pairs / (2 * draws**2)


def _mean_absolute(mean: Tensor, sigma: Tensor) -> Tensor:
    """A(m, s), elementwise."""
    z = mean / sigma
    return mean * torch.erf(z / math.sqrt(2)) + math.sqrt(2 / math.pi) * sigma * torch.exp(-0.5 * z.square())
