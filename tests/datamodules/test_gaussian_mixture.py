from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lightning_vi.datamodules import GaussianMixture
from lightning_vi.errors import UserError


def test_draws_have_the_distribution_function_that_is_told() -> None:
    data = GaussianMixture(size=5000, validation_size=3000)
    for split in data.splits():
        x = split.tensors[0].squeeze(-1).double()
        statistic = stats.kstest(x.numpy(), lambda each: data.cdf(torch.from_numpy(each)).numpy())
        assert statistic.pvalue > 0.01


def test_it_is_the_mixture_of_scipys_gaussians_and_its_inverse() -> None:
    data = GaussianMixture(means=[-1.0, 3.0], sigmas=[0.5, 2.0], shares=[0.25, 0.75])
    x = torch.linspace(-3.0, 9.0, 50, dtype=torch.float64)
    expected = 0.25 * stats.norm.cdf(x, -1.0, 0.5) + 0.75 * stats.norm.cdf(x, 3.0, 2.0)
    np.testing.assert_allclose(data.cdf(x), expected, rtol=1e-12)
    torch.testing.assert_close(data.quantile(data.cdf(x)), x, rtol=1e-8, atol=1e-8)
    one = GaussianMixture(means=[1.0], sigmas=[2.0], shares=[1.0])
    u = torch.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(one.quantile(u), stats.norm.ppf(u, 1.0, 2.0), rtol=1e-6)


def test_data_are_those_of_their_seed() -> None:
    first, same, other = (GaussianMixture(data_seed=seed).splits().training.tensors[0] for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.shape == (51_200, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"means": [0.0]}, "must be as many"),
        ({"means": [], "sigmas": [], "shares": []}, "at least one each"),
        ({"sigmas": [1.0, 0.0]}, "must be finite, sigmas .* positive"),
        ({"shares": [0.5, 0.6]}, "probabilities that add up to 1"),
        ({"shares": [1.5, -0.5]}, "probabilities that add up to 1"),
        ({"size": 0}, r"size \(=0\) must be at least 1"),
    ],
)
def test_what_is_no_mixture_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GaussianMixture(**options)
