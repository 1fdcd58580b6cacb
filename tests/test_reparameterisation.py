import math

import pytest
import torch
from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance
from lightning_vi.priors import Gaussian, Prior, ScaleMixture
from lightning_vi.reparameterisation import draw_and_price

SHAPES = [torch.Size(shape) for shape in ((7,), (2, 2), (2,))]
PRIORS = [Gaussian(0.7, 0.1), ScaleMixture(0.5, 1.0, 0.1)]
POSTERIORS = [SoftplusScale(), SoftplusVariance()]


def parameters(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    mu = torch.randn(13, dtype=dtype, requires_grad=True)
    rho = torch.randn(13, dtype=dtype, requires_grad=True)
    return mu, rho, torch.randn(13, dtype=dtype)


def downstream(pieces: tuple[Tensor, ...]) -> Tensor:
    return sum((piece.sin() * (i + 1)).sum() for i, piece in enumerate(pieces))  # type: ignore[return-value]


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_value_and_gradient_are_those_of_the_formula(prior: Prior, posterior: FactorisedGaussian) -> None:
    mu, rho, epsilon = parameters()
    kl, pieces = draw_and_price(mu, rho, epsilon, prior, posterior, SHAPES)
    ours = torch.autograd.grad(downstream(pieces) + 0.3 * kl, (mu, rho))

    sigma = posterior.sigma(rho)
    weights = mu + sigma * epsilon
    plain_kl = prior.complexity(mu, sigma, epsilon).sum()
    plain = torch.autograd.grad(downstream(weights.split([7, 4, 2])) + 0.3 * plain_kl, (mu, rho))
    torch.testing.assert_close(torch.cat([piece.flatten() for piece in pieces]), weights)
    torch.testing.assert_close(kl, plain_kl)
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("prior", PRIORS)
def test_gradient_by_finite_differences(prior: Prior) -> None:
    mu, rho, epsilon = parameters()

    def objective(mu: Tensor, rho: Tensor) -> Tensor:
        kl, pieces = draw_and_price(mu, rho, epsilon, prior, SoftplusScale(), SHAPES)
        return downstream(pieces) + kl

    assert torch.autograd.gradcheck(objective, (mu, rho))


def test_parts_that_are_not_used_get_no_gradient() -> None:
    mu, rho, epsilon = parameters()
    kl, pieces = draw_and_price(mu, rho, epsilon, Gaussian(), SoftplusScale(), SHAPES)
    (gradient,) = torch.autograd.grad(pieces[1].sum(), mu)
    assert torch.equal(gradient, torch.tensor([0.0] * 7 + [1.0] * 4 + [0.0] * 2, dtype=torch.float64))
    assert kl.requires_grad


def test_the_gradient_without_reparameterisation_is_wrong() -> None:
    """The lecture's point: sampling weights and differentiating the log likelihood at them gives 0.

    For E_q[w^2] with q = N(mu, sigma^2) the truth is d/dmu = 2 mu and d/dsigma = 2 sigma.
    """
    size, mean, scale = 100_000, 0.8, 0.5
    rho_value = math.log(math.expm1(scale))
    mu = torch.full((size,), mean, dtype=torch.float64, requires_grad=True)
    rho = torch.full((size,), rho_value, dtype=torch.float64, requires_grad=True)
    slope = 1 / (1 + math.exp(-rho_value))

    sampled = torch.distributions.Normal(mu, SoftplusScale().sigma(rho)).sample()
    log_likelihood = sampled.requires_grad_().square().sum()
    # The likelihood of sampled weights does not contain mu and rho: its gradient by them is none at all.
    assert all(gradient is None for gradient in torch.autograd.grad(log_likelihood, (mu, rho), allow_unused=True))

    epsilon = torch.randn(size, dtype=torch.float64)
    _, (weights,) = draw_and_price(mu, rho, epsilon, Gaussian(), SoftplusScale(), [torch.Size((size,))])
    by_mu, by_rho = torch.autograd.grad(weights.square().sum(), (mu, rho))
    for gradient, truth in ((by_mu, 2 * mean), (by_rho, 2 * scale * slope)):
        assert abs(gradient.mean() - truth) < 5 * gradient.std() / size**0.5
        assert truth > 20 * gradient.std() / size**0.5  # so that 0 would not pass


@pytest.mark.parametrize("prior", PRIORS)
def test_a_loss_scale_changes_no_gradient_and_skips_what_overflows(prior: Prior) -> None:
    """As under 16-mixed: the complexity's gradient is scaled with the rest, and an infinite one reaches the scaler."""
    model = BayesianModule(torch.nn.Linear(4, 3), prior, seed=3)
    inputs = torch.randn(5, 4)

    def loss() -> Tensor:
        draw = model.draw(model.epsilon(model.noise.evaluation()))
        outputs: Tensor = model(inputs, draw.weights)
        return outputs.square().mean() + 0.1 * draw.kl

    plain = torch.autograd.grad(loss(), [model.mu, model.rho])
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler.scale(loss()).backward()
    scaler.unscale_(optimizer)
    torch.testing.assert_close((model.mu.grad, model.rho.grad), plain)

    scaler.update()
    before = model.mu.detach().clone()
    optimizer.zero_grad()
    scaler.scale(loss() * float("inf")).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(model.mu, before)
    assert scaler.get_scale() == 2.0**15
