import math

import pytest
import torch
from sklearn.neighbors import KernelDensity
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional import distances
from lightning_vi.functional.parzen import SIGMAS, best_sigma, log_density


def kernel_density(samples: Tensor, points: Tensor, sigma: float) -> Tensor:
    # One leaf: between the leaves of its tree, scikit-learn's bounds cancel, and hundreds of nats can be missing.
    found = KernelDensity(bandwidth=sigma, leaf_size=len(samples)).fit(samples.double().numpy())
    return torch.from_numpy(found.score_samples(points.double().numpy()))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 2e-2)])
def test_the_density_is_scikit_learns(sigma: float, dtype: torch.dtype, error: float) -> None:
    samples, points = torch.rand(300, 784, dtype=dtype), torch.rand(40, 784, dtype=dtype)
    found = log_density(samples, points, sigma)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), kernel_density(samples, points, sigma), rtol=0, atol=error)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_single_precision_keeps_its_digits_far_from_the_origin(offset: float) -> None:
    samples, points = (offset + torch.rand(300, 784) for _ in range(2))
    truth = kernel_density(samples, points, 0.2)
    torch.testing.assert_close(log_density(samples, points, 0.2).double(), truth, rtol=0, atol=2e-2)


def test_windows_much_narrower_than_the_data_are_computed_in_double_precision() -> None:
    samples = torch.cat([torch.randn(100, 50) - 30, torch.randn(100, 50) + 30])
    points = samples + 1e-2 * torch.randn_like(samples)
    truth = kernel_density(samples, points, 1e-2)
    torch.testing.assert_close(log_density(samples, points, 1e-2).double(), truth, rtol=1e-6, atol=1e-3)


def test_far_points_have_a_finite_density() -> None:
    samples, points = torch.zeros(3, 784), torch.ones(1, 784)
    truth = -784 / (2 * 0.01) - 392 * math.log(2 * math.pi * 0.01)
    assert float(log_density(samples, points, 0.1)) == pytest.approx(truth, rel=1e-6)


def test_the_density_integrates_to_one() -> None:
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64).unsqueeze(1)
    density = log_density(torch.randn(20, 1, dtype=torch.float64), grid, 0.3).exp()
    assert float(torch.trapezoid(density, grid[:, 0])) == pytest.approx(1, abs=1e-9)


def test_blocks_do_not_change_the_density(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, points = torch.randn(50, 6, dtype=torch.float64), torch.randn(33, 6, dtype=torch.float64)
    whole = log_density(samples, points, 0.4)
    monkeypatch.setitem(distances.AT_ONCE, "cpu", 200)
    torch.testing.assert_close(log_density(samples, points, 0.4), whole, rtol=1e-12, atol=0)
    assert log_density(samples, points[:0], 0.4).shape == (0,)


def test_the_grid_is_goodfellows() -> None:
    torch.testing.assert_close(torch.tensor(SIGMAS), torch.logspace(-1, 0, 10))


def test_the_best_sigma_is_that_of_the_highest_mean() -> None:
    samples, points = torch.randn(400, 3), torch.randn(200, 3)
    means = [float(log_density(samples, points, sigma).mean()) for sigma in SIGMAS]
    chosen = best_sigma(samples, points)
    assert means[SIGMAS.index(chosen)] == max(means)
    assert chosen not in (SIGMAS[0], SIGMAS[-1])


def test_the_best_sigma_of_one_sample_is_the_points_standard_deviation() -> None:
    points = 0.37 * torch.randn(2000, 20, dtype=torch.float64)
    grid = [0.25, 0.31, 0.37, 0.43, 0.5]
    assert best_sigma(torch.zeros(1, 20, dtype=torch.float64), points, grid) == 0.37


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_sigma_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(UserError, match=r"Parzen: sigma \(=.*\) must be positive and finite"):
        log_density(torch.zeros(2, 3), torch.zeros(1, 3), sigma)


@pytest.mark.parametrize(("samples", "points"), [((0, 3), (2, 3)), ((2, 3), (2, 4)), ((2, 1, 3), (2, 3))])
def test_shapes_that_do_not_fit_are_refused(samples: tuple[int, ...], points: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"Parzen: samples \(.*\) and points \(.*\) must be"):
        log_density(torch.zeros(samples), torch.zeros(points), 1.0)


def test_without_anything_to_choose_by_there_is_no_best_sigma() -> None:
    for points, sigmas in ((torch.zeros(0, 3), SIGMAS), (torch.zeros(2, 3), ())):
        with pytest.raises(UserError, match="best_sigma: needs points"):
            best_sigma(torch.zeros(2, 3), points, sigmas)
