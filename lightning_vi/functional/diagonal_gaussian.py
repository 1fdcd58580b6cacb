r"""Densities and divergences of Gaussians with a diagonal covariance, elementwise, in nats.

A network gives mean m and logarithm of the variance eta, so sigma^2 = exp(eta), as the lecture writes its encoder and
its decoder:

.. math::
    \log N(h \mid m, e^\eta) = -\tfrac12 \left( \log 2\pi + \eta + (h - m)^2 e^{-\eta} \right), \qquad
    KL[N(m, e^\eta) \,\|\, N(0, 1)] = \tfrac12 \left( e^\eta + m^2 - 1 - \eta \right).

References:
    Kingma, Welling 2014, Auto-Encoding Variational Bayes, appendix B. Lecture 13, auto-encoding variational Bayes.
"""

import math

import torch
from torch import Tensor

_LOG_TWO_PI = math.log(2.0 * math.pi)


def log_prob(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(value | mean, exp(log_variance)); the shapes broadcast."""
    # 1 / sigma overflows much later than 1 / sigma^2, and its bound keeps 0 * inf away where sigma vanishes.
    precision_root = torch.exp(-0.5 * log_variance.clamp(min=-160.0))
    return -0.5 * (_LOG_TWO_PI + log_variance + ((value - mean) * precision_root).square())


def standard_log_prob(value: Tensor) -> Tensor:
    """log N(value | 0, 1), same shape."""
    return -0.5 * (_LOG_TWO_PI + value.square())


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL[N(mean, exp(log_variance)) || N(0, 1)], same shape."""
    return 0.5 * (torch.exp(log_variance) + mean.square() - 1.0 - log_variance)


def draw(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """mean + sigma noise, the reparameterised draw; the shapes broadcast."""
    return mean + torch.exp(0.5 * log_variance) * noise
