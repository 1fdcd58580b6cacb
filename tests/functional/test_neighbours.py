import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional import distances
from lightning_vi.functional.neighbours import (
    DensityCoverage,
    density_coverage,
    expected_coverage,
    nearest,
    radii,
)


@pytest.fixture(params=[4_000_000, 100])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in one block, and in many."""
    monkeypatch.setitem(distances.AT_ONCE, "cpu", request.param)


def measured(real: Tensor, generated: Tensor, k: int = 5) -> DensityCoverage:
    return density_coverage(real, generated, radii(real, k), k)


@pytest.mark.usefixtures("at_once")
def test_the_nearest_is_brute_forces() -> None:
    points, others = torch.randn(31, 7, dtype=torch.float64), torch.randn(43, 7, dtype=torch.float64)
    truth = cdist(points.numpy(), others.numpy())
    found = nearest(points, others)
    assert np.array_equal(found.indices.numpy(), truth.argmin(axis=1))
    np.testing.assert_allclose(found.distances.numpy(), truth.min(axis=1), rtol=1e-12)


@pytest.mark.usefixtures("at_once")
def test_copies_are_found_at_distance_zero_in_single_precision_and_far_from_the_origin() -> None:
    others = 1000 + torch.rand(200, 784)
    chosen = torch.randperm(200)[:50]
    found = nearest(others[chosen], others)
    assert torch.equal(found.indices, chosen)
    assert not found.distances.any()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("k", [1, 5, 42])
def test_radii_are_brute_forces(k: int) -> None:
    points = torch.randn(43, 7, dtype=torch.float64)
    truth = np.sort(cdist(points.numpy(), points.numpy()), axis=1)[:, k]
    np.testing.assert_allclose(radii(points, k).numpy(), truth, rtol=1e-9)


def test_radii_of_a_grid_are_known_and_copies_are_neighbours() -> None:
    line = torch.arange(5.0).unsqueeze(1)
    assert radii(line, 1).tolist() == [1, 1, 1, 1, 1]
    assert radii(line, 2).tolist() == [2, 1, 1, 1, 2]
    assert radii(torch.cat([line, line]), 1).tolist() == [0] * 10


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("k", [1, 5])
def test_density_and_coverage_are_brute_forces(k: int) -> None:
    real, generated = torch.randn(40, 3, dtype=torch.float64), 1.5 * torch.randn(30, 3, dtype=torch.float64)
    among = cdist(real.numpy(), real.numpy())
    reach = np.sort(among, axis=1)[:, k]
    inside = cdist(real.numpy(), generated.numpy()) <= reach[:, None]
    found = measured(real, generated, k)
    assert found.density == pytest.approx(inside.sum() / (k * 30))
    assert found.coverage == pytest.approx(inside.any(axis=1).mean())


@pytest.mark.parametrize(("size", "dimensions"), [(1000, 2), (3000, 64)])
def test_one_distribution_has_density_one_and_the_expected_coverage(size: int, dimensions: int) -> None:
    found = measured(torch.randn(size, dimensions), torch.randn(size, dimensions))
    # Balls overlap, so the spread is not binomial: these are about five standard deviations over seeds.
    assert found.density == pytest.approx(1, abs=0.25)
    assert found.coverage == pytest.approx(expected_coverage(size, size), abs=0.05)
    assert expected_coverage(size, size) == pytest.approx(1 - 2**-5, abs=1e-3)


def test_expected_coverage_is_the_mean_of_many() -> None:
    values = [measured(torch.randn(12, 2), torch.randn(20, 2), 3).coverage for _ in range(2000)]
    error = float(np.std(values)) / math.sqrt(len(values))
    assert abs(float(np.mean(values)) - expected_coverage(12, 20, 3)) < 5 * error


def test_expected_density_is_one_for_any_numbers() -> None:
    values = [measured(torch.randn(12, 2), torch.randn(20, 2), 3).density for _ in range(2000)]
    error = float(np.std(values)) / math.sqrt(len(values))
    assert abs(float(np.mean(values)) - 1) < 5 * error


def test_a_collapsed_generator_covers_next_to_nothing_however_dense() -> None:
    real = torch.randn(2000, 16)
    found = measured(real, torch.zeros(2000, 16) + 1e-3 * torch.randn(2000, 16))
    assert found.density > 1
    collapsed = measured(real, real[:1].expand(2000, -1))
    assert 0 < collapsed.coverage < 0.02


def test_half_of_the_modes_are_half_of_the_coverage_and_noise_is_neither() -> None:
    modes = torch.tensor([[-50.0], [50.0]])
    real = (modes[:, None] + torch.randn(2, 500, 8)).flatten(0, 1)
    half = measured(real, -50 + torch.randn(1000, 8))
    assert half.coverage == pytest.approx(0.5, abs=0.02)
    assert half.density == pytest.approx(1, abs=0.25)
    assert measured(real, 1000 * torch.randn(1000, 8)) == (0, 0)


def test_mistakes_are_told() -> None:
    points = torch.zeros(4, 3)
    for k in (0, 4):
        with pytest.raises(UserError, match=rf"radii: k \(={k}\) must lie in \[1, 3\]"):
            radii(points, k)
    for others in (torch.zeros(0, 3), torch.zeros(2, 4), torch.zeros(2, 3, 1)):
        with pytest.raises(UserError, match="neighbours: shapes"):
            nearest(points, others)
        with pytest.raises(UserError, match="neighbours: shapes"):
            density_coverage(points, others, torch.zeros(4))
    with pytest.raises(UserError, match=r"real_radii \(3,\) must be \(4,\)"):
        density_coverage(points, points, torch.zeros(3))
