import math

import pytest
import torch
from torch import nn

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import FanInGaussian, Gaussian


def test_the_variance_is_that_over_the_number_of_inputs() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Linear(64, 10))
    priors = FanInGaussian(2.0, vectors=Gaussian(7.0)).assign({name: p.shape for name, p in net.named_parameters()})
    assert priors["0.weight"] == Gaussian(2.0 / math.sqrt(3 * 5 * 5))
    assert priors["1.weight"] == Gaussian(2.0 / math.sqrt(64))
    assert priors["0.bias"] == priors["1.bias"] == Gaussian(7.0)


def test_under_the_prior_a_deep_relu_network_keeps_the_size_of_its_inputs() -> None:
    width, depth = 400, 10
    torch.manual_seed(0)
    h = torch.randn(width)
    shape = {"weight": torch.Size((width, width))}
    prior = FanInGaussian().assign(shape)["weight"]
    assert isinstance(prior, Gaussian)
    squares = []
    for _ in range(depth):
        h = torch.relu(prior.sigma * torch.randn(width, width) @ h)
        squares.append(h.square().mean())
    # E[relu(a)^2] = Var(a) / 2 for a symmetric a: each layer keeps the mean square, up to noise of 5 / sqrt(width / 5).
    assert 0.3 < float(squares[-1]) < 3.0


def test_it_prices_a_network() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    model = BayesianModule(net, FanInGaussian(1.0), SoftplusScale(0.2))
    mean = model.mean()
    exact = sum(
        torch.distributions.kl_divergence(
            torch.distributions.Normal(mean[name], 0.2), torch.distributions.Normal(0.0, sigma)
        ).sum()
        for name, sigma in {"0.weight": 3**-0.5, "1.weight": 4**-0.5, "0.bias": 1.0, "1.bias": 1.0}.items()
    )
    torch.testing.assert_close(model.draw().kl, exact)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_bad_scale(scale: float) -> None:
    with pytest.raises(UserError, match=r"FanInGaussian: scale \(=.*\) must be > 0 and finite"):
        FanInGaussian(scale)
