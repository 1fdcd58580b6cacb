r"""Log density, entropy and Kullback-Leibler divergence of Gaussians, elementwise, in nats.

.. math::
    \log N(w \mid m, s^2) = -\tfrac12 \log 2\pi - \log s - \frac{(w - m)^2}{2 s^2}, \qquad
    H[N(m, s^2)] = \tfrac12 \log(2 \pi e s^2),

.. math::
    KL[N(\mu, \sigma^2) \,\|\, N(m, s^2)] = \log\frac{s}{\sigma} + \frac{\sigma^2 + (\mu - m)^2}{2 s^2} - \tfrac12.

The lecture prints the entropy as log(2 pi e sigma^2); the factor 1/2 belongs to it.
"""

import math

from torch import Tensor

from lightning_vi.functional import elementary

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def gaussian_log_prob(value: Tensor, mean: float, sigma: float) -> Tensor:
    """log N(value | mean, sigma^2), elementwise."""
    return -HALF_LOG_TWO_PI - math.log(sigma) - 0.5 * ((value - mean) / sigma).square()


def gaussian_entropy(sigma: Tensor) -> Tensor:
    """Entropy of N(., sigma^2), elementwise; sigma > 0."""
    return HALF_LOG_TWO_PI + 0.5 + elementary.log(sigma)


def gaussian_kl(mu: Tensor, sigma: Tensor, prior_mean: float, prior_sigma: float) -> Tensor:
    """KL[N(mu, sigma^2) || N(prior_mean, prior_sigma^2)], elementwise; sigma > 0."""
    square = sigma.square() + (mu - prior_mean).square()
    return math.log(prior_sigma) - elementary.log(sigma) + square * (0.5 / prior_sigma**2) - 0.5
