import math
from typing import Any

import pytest
import scipy.stats
import torch

from lightning_vi.errors import UserError
from lightning_vi.noise_priors import Gaussian, NoisePrior, Uniform

CPU = torch.device("cpu")
HALF = math.sqrt(3.0)
PRIORS = pytest.mark.parametrize(
    ("prior", "truth"),
    [
        (Gaussian(4), scipy.stats.norm()),
        (Uniform(4), scipy.stats.uniform(-HALF, 2 * HALF)),
        (Uniform(4, width=2.0), scipy.stats.uniform(-1, 2)),
    ],
    ids=["Gaussian", "Uniform", "Uniform of width 2"],
)


@PRIORS
def test_draws_have_the_distribution_and_are_independent(prior: NoisePrior, truth: Any) -> None:
    count = 20_000
    z = prior.draw(count, CPU).double()
    assert z.shape == (count, 4)
    mean, variance, kurtosis = (float(each) for each in truth.stats("mvk"))
    assert (z.mean(dim=0) - mean).abs().max() < 5 * (variance / count) ** 0.5
    assert (z.var(dim=0) / variance - 1).abs().max() < 5 * ((kurtosis + 2) / count) ** 0.5
    assert (z.T.corrcoef() - torch.eye(4)).abs().max() < 5 / count**0.5
    for column in z.T:
        assert scipy.stats.kstest(column.numpy(), truth.cdf).pvalue > 1e-3
    low, high = truth.support()
    assert z.min() >= low - 1e-6
    assert z.max() <= high + 1e-6


@PRIORS
def test_from_normal_maps_quantiles_to_quantiles(prior: NoisePrior, truth: Any) -> None:
    normal = torch.linspace(-6, 6, 25, dtype=torch.float64).view(5, 5)
    expected = torch.from_numpy(truth.ppf(scipy.stats.norm.cdf(normal.numpy())))
    torch.testing.assert_close(prior.from_normal(normal), expected, atol=1e-6, rtol=1e-6)


def test_gaussian_noise_is_normal_noise_and_uniform_noise_is_the_normal_distribution_function() -> None:
    normal = torch.randn(3, 2, dtype=torch.float64)
    assert torch.equal(Gaussian(2).from_normal(normal), normal)
    torch.testing.assert_close(Uniform(2, width=6.0).from_normal(normal), 3.0 * torch.erf(normal / math.sqrt(2.0)))


def test_by_default_the_variance_is_1_on_100_variables() -> None:
    assert Gaussian().size == Uniform().size == 100
    assert Uniform().width ** 2 / 12 == pytest.approx(1.0)
    assert Uniform(1).from_normal(torch.tensor([-40.0, 0.0, 40.0])).tolist() == pytest.approx([-HALF, 0.0, HALF])


@pytest.mark.parametrize("prior", [Gaussian(3), Uniform(3)], ids=["Gaussian", "Uniform"])
def test_draws_are_reproduced_by_a_generator(prior: NoisePrior) -> None:
    first, again = (prior.draw(5, CPU, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, prior.draw(5, CPU, torch.Generator().manual_seed(8)))
    before = torch.get_rng_state()
    prior.draw(5, CPU, torch.Generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_wrong_arguments_are_refused() -> None:
    for size in (0, -3):
        with pytest.raises(UserError, match=rf"Gaussian: size \(={size}\) must be at least 1"):
            Gaussian(size)
        with pytest.raises(UserError, match=rf"Uniform: size \(={size}\) must be at least 1"):
            Uniform(size)
    for width in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UserError, match=rf"Uniform: width \(={width}\) must be positive and finite"):
            Uniform(2, width)
