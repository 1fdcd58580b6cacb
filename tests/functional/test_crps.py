import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from lightning_vi.functional.crps import gaussian_mixture_crps

MEANS, SIGMAS = np.array([-1.0, 0.3, 0.4, 5.0]), np.array([0.2, 1.0, 1e-3, 2.0])


def crps(means: np.ndarray, sigmas: np.ndarray, target: float) -> float:
    mean, sigma = (torch.from_numpy(each).view(-1, 1, 1) for each in (means, sigmas))
    return float(gaussian_mixture_crps(mean, sigma, torch.tensor([[target]], dtype=torch.float64)))


def by_quadrature(means: np.ndarray, sigmas: np.ndarray, target: float) -> float:
    """The integral of (F(t) - 1[y <= t])^2, cut where F bends."""

    def square(t: float, step: float) -> float:
        return float((stats.norm.cdf(t, loc=means, scale=sigmas).mean() - step) ** 2)

    bends = sorted({-40.0, 60.0, target, *(m + k * s for m, s in zip(means, sigmas, strict=True) for k in (-6, 0, 6))})
    pieces = (
        integrate.quad(square, low, high, args=(float(low >= target),), epsabs=1e-12)[0]
        for low, high in itertools.pairwise(bends)
    )
    return float(sum(pieces))


@pytest.mark.parametrize("target", [-3.0, 0.3, 0.4, 20.0])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_is_the_integral_of_its_definition(size: int, target: float) -> None:
    means, sigmas = MEANS[:size], SIGMAS[:size]
    assert crps(means, sigmas, target) == pytest.approx(by_quadrature(means, sigmas, target), rel=1e-8)


def test_of_one_gaussian_it_is_gneitings_closed_form() -> None:
    z = (0.7 - 0.2) / 1.5
    closed = 1.5 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert crps(np.array([0.2]), np.array([1.5]), 0.7) == pytest.approx(closed, rel=1e-12)


def test_equal_components_are_one() -> None:
    one, many = (crps(np.full(size, 0.2), np.full(size, 1.5), 0.7) for size in (1, 5))
    assert many == pytest.approx(one, rel=1e-12)


def test_of_hardly_any_noise_it_is_the_absolute_error() -> None:
    mean, sigma = torch.zeros(1, 2, 1), torch.full((1, 2, 1), math.exp(-40.0))
    found = gaussian_mixture_crps(mean, sigma, torch.tensor([[0.25], [0.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.25], [0.0]]))


def test_each_dimension_is_its_own() -> None:
    mean, sigma, targets = torch.randn(3, 4, 2), torch.rand(3, 4, 2) + 0.1, torch.randn(4, 2)
    both = gaussian_mixture_crps(mean, sigma, targets)
    alone = [gaussian_mixture_crps(mean[..., [d]], sigma[..., [d]], targets[:, [d]]) for d in (0, 1)]
    torch.testing.assert_close(both, torch.cat(alone, dim=-1))
    assert gaussian_mixture_crps(mean[:, :0], sigma[:, :0], targets[:0]).shape == (0, 2)
