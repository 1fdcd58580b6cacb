r"""Parzen windows: the density of a few Gaussians around samples, as a judge of where the samples come from.

.. math:: \log p(x) = \log \frac1S \sum_{s=1}^S N(x \mid x_s, \sigma^2 I)
    = \log \sum_{s=1}^S e^{-\|x - x_s\|^2 / 2 \sigma^2} - \log S - \frac D2 \log 2 \pi \sigma^2.

Of a generator without a density, S = 10,000 samples are drawn, sigma is chosen on validation examples, and the mean of
log p over test examples is reported. It is a poor estimate of the generator's own likelihood in many dimensions, and
rewards smooth samples: blurred images may beat those of the test set. So it never stands alone.

References:
    Breuleux, Bengio, Vincent 2011, Quickly Generating Representative Samples from an RBM-Derived Process, section 3.
    Goodfellow et al. 2014, Generative Adversarial Networks, section 5 and table 1.
    Theis, van den Oord, Bethge 2016, A Note on the Evaluation of Generative Models, section 3.3.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional.distances import blocks, squared_distances

SIGMAS = tuple(10 ** (exponent / 9 - 1) for exponent in range(10))
"""The values among which sigma is chosen: ten from 0.1 to 1, with equal ratios."""

TOLERANCE = 0.05
"""Largest error of a log density by rounded distances, in nats; beyond it, the computation is in double precision."""


def log_density(samples: Tensor, points: Tensor, sigma: float) -> Tensor:
    """log p(x) of points, in nats.

    Args:
        samples: x_s, shape (S, D).
        points: x, shape (N, D).
        sigma: Standard deviation of the windows.

    Returns:
        Shape (N,), of the points' type.

    Raises:
        UserError: If there are no samples, if the dimensions differ or sigma is not positive.
    """
    return _log_densities(samples, points, [sigma])[0]


def best_sigma(samples: Tensor, points: Tensor, sigmas: Sequence[float] = SIGMAS) -> float:
    """The sigma with the highest mean log density of points; arguments as those of :func:`log_density`."""
    if not sigmas or not len(points):
        raise UserError(f"best_sigma: needs points (={len(points)}) and sigmas (={tuple(sigmas)}) to choose by.")
    return sigmas[int(_log_densities(samples, points, sigmas).double().mean(dim=1).argmax())]


def _log_densities(samples: Tensor, points: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Shape (len(sigmas), N)."""
    if samples.ndim != 2 or points.ndim != 2 or samples.shape[1] != points.shape[1] or not len(samples):
        raise UserError(
            f"Parzen: samples {tuple(samples.shape)} and points {tuple(points.shape)} must be (S, D) and (N, D), S > 0."
        )
    if not all(0.0 < sigma < math.inf for sigma in sigmas):
        raise UserError(f"Parzen: sigma (={', '.join(map(str, sigmas))}) must be positive and finite.")
    logs = points.new_empty(len(sigmas), len(points))
    centre = samples.mean(dim=0)
    samples, points = samples - centre, points - centre
    if _rounding(samples, points) / min(sigmas) ** 2 > TOLERANCE:
        samples, points = samples.double(), points.double()
    count, dimensions = samples.shape
    for place, block in blocks(points, count):
        squares = squared_distances(block, samples)
        for row, sigma in zip(logs, sigmas, strict=True):
            normaliser = math.log(count) + 0.5 * dimensions * math.log(2 * math.pi * sigma**2)
            row[place] = torch.logsumexp(squares * (-0.5 / sigma**2), dim=1) - normaliser
    return logs


def _rounding(samples: Tensor, points: Tensor) -> float:
    """How wrong |x - y|^2 / 2 may be: |x|^2, |y|^2 and 2 x'y are each rounded, and at most 4 R^2 together."""
    largest = max((float(each.square().sum(dim=1).max()) for each in (samples, points) if len(each)), default=0.0)
    return 2 * torch.finfo(samples.dtype).eps * largest
