"""A prior of one's own, with nothing but a log density."""

import math

import torch
from torch import Tensor
from torch.distributions import Laplace, Normal

from lightning_vi.bayesian import BayesianModule
from lightning_vi.priors import Gaussian, Prior


class LaplacePrior(Prior):
    def log_prob(self, weights: Tensor) -> Tensor:
        return -weights.abs() - math.log(2.0)


class GaussianByMonteCarlo(Prior):
    def log_prob(self, weights: Tensor) -> Tensor:
        return Gaussian(1.0).log_prob(weights)


def test_score_by_automatic_differentiation() -> None:
    weights = torch.tensor([-2.0, 0.5, 3.0])
    assert torch.equal(LaplacePrior().score(weights), -weights.sign())


def test_complexity_is_log_q_minus_log_p_at_the_draw() -> None:
    mu, sigma, epsilon = torch.tensor([0.3]), torch.tensor([0.2]), torch.tensor([1.5])
    w = mu + sigma * epsilon
    truth = Normal(mu, sigma).log_prob(w) - Laplace(0.0, 1.0).log_prob(w)
    torch.testing.assert_close(LaplacePrior().complexity(mu, sigma, epsilon), truth)


def test_monte_carlo_complexity_has_the_divergence_as_its_mean() -> None:
    size = 200_000
    mu, sigma = torch.full((size,), 0.7).double(), torch.full((size,), 0.4).double()
    sample = GaussianByMonteCarlo().complexity(mu, sigma, torch.randn(size, dtype=torch.float64))
    truth = Gaussian(1.0).complexity(mu[:1], sigma[:1], mu[:1])
    assert abs(sample.mean() - truth) < 5 * sample.std() / size**0.5


def test_it_trains_a_network() -> None:
    model = BayesianModule(torch.nn.Linear(3, 2), LaplacePrior())
    model.draw().kl.backward()
    assert model.mu.grad is not None
    assert model.mu.grad.abs().min() > 0
