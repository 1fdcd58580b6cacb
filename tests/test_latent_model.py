import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from lightning_vi.errors import UserError
from lightning_vi.functional.importance import log_mean_exp
from lightning_vi.latent_model import LatentModel, StochasticLayer
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, HeteroscedasticGaussian, Likelihood
from tests.ppca import (
    DIMENSIONS,
    LATENTS,
    SIGMA,
    bound,
    data,
    exact_log_prob,
    head,
    linear,
    ppca,
    spoil,
    tanh,
    two_layers,
)


def test_the_weights_of_an_exact_posterior_are_the_marginal_likelihood() -> None:
    """p(x, h) / q(h | x) = p(x) for every h: one draw tells log p(x), and the bound is tight."""
    model, x = ppca(), data()
    draws = model.draw(model.encode(x), x, samples=3)
    assert draws.log_weights.shape == (3, len(x))
    torch.testing.assert_close(draws.log_weights.detach(), exact_log_prob(model, x).expand(3, -1), rtol=1e-10, atol=0)


def test_the_elbo_lies_below_the_marginal_likelihood_by_the_kl_to_the_posterior() -> None:
    exact, model, x = ppca(), spoil(ppca()), data()
    mean, log_variance = model.encode(x)
    true_mean, true_log_variance = exact.encode(x)
    q = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    posterior = Independent(Normal(true_mean, (0.5 * true_log_variance).exp()), 1)
    truth = (exact_log_prob(model, x) - torch.distributions.kl_divergence(q, posterior)).mean().detach()
    elbo, error = bound(model, x, k=1, repeats=20_000)
    assert truth < exact_log_prob(model, x).mean()
    assert abs(elbo - truth) < 5 * error


def test_the_importance_weighted_bound_rises_with_the_draws_to_the_marginal_likelihood() -> None:
    model, x = spoil(ppca()), data()
    bounds = [bound(model, x, k, repeats=4000) for k in (1, 2, 5, 20, 100)]
    for (low, low_error), (high, high_error) in pairwise(bounds):
        assert high > low - 2 * math.hypot(low_error, high_error)
    assert bounds[2][0] - bounds[0][0] > 5 * bounds[0][1]
    truth = exact_log_prob(model, x).mean()
    assert bounds[-1][0] < truth + 5 * bounds[-1][1]
    assert truth - bounds[-1][0] < 0.02 * (truth - bounds[0][0])


def test_the_mean_weight_of_two_layers_is_an_integral() -> None:
    """Against p(x) by brute force: h drawn from the prior, by `descend`'s own networks."""
    model, x = two_layers(), 0.3 * data(3)
    with torch.no_grad():
        for encoder, size in zip(model.encoders, model.sizes, strict=True):
            head(encoder).weight *= 0.1
            head(encoder).bias[size:] += 1.5  # wide, so that the weights have a variance
        log_weights = model.draw(model.encode(x), x, 200_000).log_weights
        mean, rho = model.decoders[1](torch.randn(400_000, 2, dtype=torch.float64)).chunk(2, dim=-1)
        h = mean + (0.5 * rho).exp() * torch.randn_like(mean)
        log_likelihoods = -model.likelihood.nll(model.decode(h).unsqueeze(1).expand(-1, 3, -1), x)
    # Variances of the two estimates, from the effective numbers of draws.
    variances = [torch.softmax(each, dim=0).square().sum(dim=0) for each in (log_weights, log_likelihoods)]
    error = (variances[0] + variances[1]).sqrt()
    assert error.max() < 0.05
    assert ((log_mean_exp(log_weights) - log_mean_exp(log_likelihoods)).abs() < 5 * error).all()


def test_densities_and_kl_are_those_of_torch_distributions() -> None:
    model, x = two_layers(), data(4)
    draws = model.draw(model.encode(x), x, samples=5)
    first, second = draws.layers
    q = Normal(first.mean, (0.5 * first.log_variance).exp())
    mean, rho = model.decoders[1](second.latents.flatten(end_dim=1)).view(5, 4, -1).chunk(2, dim=-1)
    p = Normal(mean, (0.5 * rho).exp())
    torch.testing.assert_close(first.log_ratio, q.log_prob(first.latents) - p.log_prob(first.latents))
    assert first.kl is first.log_ratio
    q, p = Normal(second.mean, (0.5 * second.log_variance).exp()), Normal(torch.zeros(()).double(), 1.0)
    torch.testing.assert_close(second.log_ratio, q.log_prob(second.latents) - p.log_prob(second.latents))
    torch.testing.assert_close(second.kl, torch.distributions.kl_divergence(q, p))
    likelihood = Independent(Normal(model.decode(first.latents), SIGMA), 1)
    torch.testing.assert_close(draws.log_likelihood, likelihood.log_prob(x))


@pytest.mark.parametrize("model", [ppca(), two_layers()], ids=["one layer", "two layers"])
@pytest.mark.parametrize("path", [False, True])
def test_holding_the_parameters_of_q_changes_gradients_alone(model: LatentModel, path: bool) -> None:
    x = data()
    values = []
    for each in (False, path):
        torch.manual_seed(5)
        values.append(model.draw(model.encode(x), x, 3, path=each))
    torch.testing.assert_close(values[0].log_weights, values[1].log_weights)


def test_at_the_exact_posterior_the_path_gradient_vanishes() -> None:
    """Roeder et al. 2017, Sticking the Landing: no noise is left in the encoder's gradient, draw by draw."""
    model, x = ppca(), data()
    for path, largest in ((True, 1e-10), (False, math.inf)):
        model.zero_grad()
        model.draw(model.encode(x), x, 1, path=path).log_weights.sum().backward()
        gradient = head(model.encoders[0]).weight.grad
        assert gradient is not None
        gradient = gradient.abs().max()
        assert (gradient < largest) if path else (gradient > 0.1)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.1), HeteroscedasticGaussian(0.1)], ids=repr)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_parameter_receives_a_gradient(likelihood: Likelihood, layers: int) -> None:
    upper = [StochasticLayer(2, tanh, tanh)][: layers - 1]
    model = LatentModel((DIMENSIONS,), tanh, tanh, 3, likelihood, upper)
    x = torch.rand(9, DIMENSIONS)
    model.draw(model.encode(x), x, 2).log_weights.sum().backward()
    for name, each in model.named_parameters():
        assert each.grad is not None, name
        assert each.grad.abs().sum() > 0, name


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.1), HeteroscedasticGaussian(0.1)], ids=repr)
def test_it_starts_at_the_moments_of_the_data(likelihood: Likelihood) -> None:
    model = LatentModel((DIMENSIONS,), linear, linear, LATENTS, likelihood)
    for each in model.decoders[0].parameters():
        nn.init.zeros_(each)
    mean = torch.linspace(0.1, 0.9, DIMENSIONS)
    model.start_at(mean, torch.full((DIMENSIONS,), 0.04))
    start = model.likelihood(model.decode(torch.randn(4, LATENTS)))
    torch.testing.assert_close(start.mean, mean.expand(4, -1))
    if isinstance(likelihood, HeteroscedasticGaussian):
        torch.testing.assert_close(start.variance, torch.full((4, DIMENSIONS), 0.04))


def test_descend_draws_from_the_layers_below() -> None:
    model = two_layers()
    top = torch.randn(4, 5, 2, dtype=torch.float64)
    first, again = (model.descend(top, torch.Generator().manual_seed(0)) for _ in range(2))
    assert first.shape == (4, 5, DIMENSIONS)
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, model.descend(top, torch.Generator().manual_seed(1)))
    one = ppca()
    torch.testing.assert_close(one.descend(top), one.decode(top))


def test_noise_comes_from_the_generator_alone() -> None:
    model, x = ppca(), data()
    before = torch.get_rng_state()
    first, again = (model.draw(model.encode(x), x, 2, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(first.layers[0].latents, again.layers[0].latents)


def test_it_can_be_copied_saved_and_shown() -> None:
    model = two_layers()
    model.start_at(torch.rand(DIMENSIONS), torch.rand(DIMENSIONS))
    other = copy.deepcopy(model)
    assert "MLP" in repr(other)
    fresh = two_layers()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.offset, model.offset)


@pytest.mark.parametrize("size", [0, -1])
def test_a_layer_needs_latent_variables(size: int) -> None:
    with pytest.raises(UserError, match="must be at least 1"):
        LatentModel((DIMENSIONS,), linear, linear, size, Bernoulli())
    with pytest.raises(UserError, match="must be at least 1"):
        LatentModel((DIMENSIONS,), linear, linear, 2, Bernoulli(), [StochasticLayer(size, linear, linear)])


def test_a_likelihood_without_moments_is_refused() -> None:
    model = LatentModel((DIMENSIONS,), linear, linear, 2, Categorical())
    with pytest.raises(UserError, match="Categorical: no outputs for a mean"):
        model.start_at(torch.zeros(DIMENSIONS), torch.ones(DIMENSIONS))
