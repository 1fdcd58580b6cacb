import numpy as np
import pytest
import torch

from lightning_vi.datamodules import Curve
from lightning_vi.errors import UserError

NOISE = 0.02


def moment(power: int) -> float:
    """E[y^power] by Gauss-Legendre quadrature over x and Gauss-Hermite over the noise."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x, wx = (nodes + 1) / 4, weights / 2
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    e, we = NOISE * nodes[:, None], weights / weights.sum()
    y = x + 0.3 * np.sin(2 * np.pi * (x + e)) + 0.3 * np.sin(4 * np.pi * (x + e)) + e
    return float(we @ y**power @ wx)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_moments_are_those_of_the_paper_with_0_02_as_standard_deviation(split: int) -> None:
    x, y = (t.double() for t in Curve(size=100_000, validation_size=100_000, data_seed=3).splits()[split].tensors)
    assert x.min() >= 0
    assert x.max() <= 0.5
    for power in (1, 2, 4):
        z = (y**power - moment(power)).mean() / ((y**power).std() / len(y) ** 0.5)
        assert abs(z) < 5
    z = (x - 0.25).mean() / (x.std() / len(x) ** 0.5)
    assert abs(z) < 5


def test_noise_at_one_x() -> None:
    """dy/de is 1 + 0.6 pi cos(2 pi x) + 1.2 pi cos(4 pi x): near 0 the spread of y is 0.02 times 6.65."""
    x, y = (t.double() for t in Curve(size=200_000).splits().training.tensors)
    near = x < 0.002
    slope = 1 + 0.6 * np.pi + 1.2 * np.pi
    residual = y[near] - slope * x[near]
    assert residual.std().item() == pytest.approx(NOISE * slope, rel=0.1)


def test_shapes_and_streams() -> None:
    splits = Curve(data_seed=1, seed=1).splits()
    assert [len(split) for split in splits] == [1024, 256, 1000]
    for split in splits:
        assert all(t.shape == (len(split), 1) and t.dtype == torch.float32 for t in split.tensors)
    again, other = Curve(data_seed=1, seed=2).splits(), Curve(data_seed=2, seed=1).splits()
    for one, same, different in zip(splits, again, other, strict=True):
        assert torch.equal(one.tensors[1], same.tensors[1])
        assert not torch.equal(one.tensors[1], different.tensors[1])
    values = torch.cat([split.tensors[0] for split in splits])
    assert len(values.unique()) > 0.999 * len(values)  # no split repeats the stream of another
    assert len(Curve(size=10, validation_size=0).splits().validation) == 0


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"Curve: size \(=0\) must be at least 1"):
        Curve(size=0)
    with pytest.raises(UserError, match=r"Curve: validation_size \(=-1\) must be at least 0"):
        Curve(validation_size=-1)
    with pytest.raises(UserError, match=r"Curve: data_seed \(=-1\) must be at least 0"):
        Curve(data_seed=-1)
