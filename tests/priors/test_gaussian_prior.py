import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lightning_vi.errors import UserError
from lightning_vi.priors import Gaussian

W = torch.linspace(-20, 20, 401, dtype=torch.float64)


def test_density_and_score() -> None:
    prior = Gaussian(sigma=0.8, mean=0.3)
    torch.testing.assert_close(
        prior.log_prob(W), Normal(torch.tensor(0.3).double(), 0.8).log_prob(W), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(prior.score(W), torch.func.grad(lambda w: prior.log_prob(w).sum())(W))


def test_complexity_is_the_divergence_whatever_the_draw() -> None:
    mu, sigma = torch.randn(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64) + 0.01
    truth = kl_divergence(Normal(mu, sigma), Normal(torch.zeros(50).double(), 0.5))
    for _ in range(2):
        complexity = Gaussian(0.5).complexity(mu, sigma, torch.randn(50, dtype=torch.float64))
        torch.testing.assert_close(complexity, truth)


def test_bad_sigma() -> None:
    with pytest.raises(UserError, match=r"sigma \(=-1.0\) must be > 0"):
        Gaussian(sigma=-1.0)
