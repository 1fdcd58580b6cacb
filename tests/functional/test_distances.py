import pytest
import scipy.spatial.distance
import torch

from lightning_vi.functional import distances
from lightning_vi.functional.distances import blocks, squared_distances


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_distances_are_scipys(dtype: torch.dtype, digits: float) -> None:
    points, others = torch.randn(7, 30, dtype=dtype), torch.randn(5, 30, dtype=dtype)
    truth = torch.from_numpy(scipy.spatial.distance.cdist(points.numpy(), others.numpy(), "sqeuclidean")).to(dtype)
    torch.testing.assert_close(squared_distances(points, others), truth, rtol=0, atol=digits)


def test_distances_to_themselves_are_not_negative() -> None:
    points = 10 * torch.randn(200, 50)
    squares = squared_distances(points, points)
    assert squares.min() >= 0
    assert squares.diagonal().max() < 1e-2


def test_autocast_does_not_touch_them() -> None:
    points, others = torch.rand(7, 30), torch.rand(5, 30)
    exact = squared_distances(points, others)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(squared_distances(points, others), exact)


@pytest.mark.parametrize("others", [1, 3, 1000])
def test_blocks_are_all_points_in_order_and_small(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(distances.AT_ONCE, "cpu", 12)
    points = torch.arange(20.0).reshape(10, 2)
    parts = list(blocks(points, others))
    assert torch.equal(torch.cat([part for _, part in parts]), points)
    for place, part in parts:
        assert torch.equal(points[place], part)
        assert len(part) == 1 or len(part) * others <= 12
    assert not list(blocks(points[:0], others))
