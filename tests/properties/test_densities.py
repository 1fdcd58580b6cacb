"""What holds for all priors, posteriors and latent Gaussians, however narrow, wide or far away."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lightning_vi.functional import diagonal_gaussian
from lightning_vi.functional.divergence import gaussian_entropy, gaussian_kl, gaussian_log_prob
from lightning_vi.functional.importance import log_mean_exp, normalised_weights
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance
from lightning_vi.priors import Gaussian, Prior, ScaleMixture
from lightning_vi.reparameterisation import draw_and_price
from lightning_vi.weighting import Geometric, Uniform, Weighting


def reals(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of all magnitudes from e^low to e^high."""
    return reals(low, high).map(math.exp)


SCALES = powers(-8.0, 3.0)
MIXTURES = st.builds(
    lambda pi, sigma1, ratio: ScaleMixture(pi, sigma1, sigma1 * ratio),
    reals(0.01, 0.99),
    powers(-1.0, 2.0),
    powers(-8.0, -0.1),
)
PRIORS: st.SearchStrategy[Prior] = st.one_of(st.builds(Gaussian, SCALES, reals(-3.0, 3.0)), MIXTURES)
POSTERIORS: st.SearchStrategy[FactorisedGaussian] = st.sampled_from([SoftplusVariance(), SoftplusScale()])
WEIGHTS = st.lists(reals(-1e4, 1e4), min_size=1, max_size=8)
BLUNDELL = ScaleMixture(0.25, 1.0, math.exp(-8.0))


def doubles(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(PRIORS)
def test_a_prior_integrates_to_one(prior: Prior) -> None:
    grid = torch.sinh(torch.linspace(-16.0, 16.0, 200_001, dtype=torch.float64)) * 1e-4
    density = prior.log_prob(grid + (prior.mean if isinstance(prior, Gaussian) else 0.0)).exp()
    assert abs(float(torch.trapezoid(density, grid)) - 1.0) < 1e-5


@given(MIXTURES, WEIGHTS)
def test_a_mixture_lies_between_its_components(prior: ScaleMixture, values: list[float]) -> None:
    weights = doubles(values)
    wide, narrow = (gaussian_log_prob(weights, 0.0, sigma) for sigma in (prior.sigma1, prior.sigma2))
    mixed, room = prior.log_prob(weights), 1e-9 * (1.0 + wide.abs())
    assert bool((mixed <= torch.maximum(wide, narrow) + room).all())
    assert bool((mixed >= torch.minimum(wide, narrow) - room).all())
    assert bool((mixed >= math.log(prior.pi) + wide - room).all())


@given(PRIORS, WEIGHTS)
def test_the_score_is_the_slope(prior: Prior, values: list[float]) -> None:
    weights = doubles(values)
    slope = torch.func.grad(lambda w: prior.log_prob(w).sum())(weights)
    torch.testing.assert_close(prior.score(weights), slope, rtol=1e-8, atol=1e-8)


@given(PRIORS, POSTERIORS, reals(-50.0, 50.0), reals(-60.0, 20.0), reals(-5.0, 5.0))
def test_the_gradient_of_a_draw_is_autograds(
    prior: Prior, posterior: FactorisedGaussian, mean: float, raw: float, noise: float
) -> None:
    """Of the complexity and of the weights together, by mu and by rho."""
    mu, rho, epsilon = (doubles([each]).requires_grad_() for each in (mean, raw, noise))
    complexity, (weights,) = draw_and_price(mu, rho, epsilon.detach(), prior, posterior, [torch.Size([1])])
    by_hand = torch.autograd.grad(complexity + weights.sin().sum(), [mu, rho])
    softplus = torch.nn.functional.softplus(rho, threshold=50.0)
    sigma = softplus.sqrt() if isinstance(posterior, SoftplusVariance) else softplus
    truth = prior.complexity(mu, sigma, epsilon.detach()).sum() + (mu + sigma * epsilon.detach()).sin().sum()
    torch.testing.assert_close(by_hand, torch.autograd.grad(truth, [mu, rho]), rtol=1e-6, atol=1e-8)


@given(PRIORS | st.just(BLUNDELL), POSTERIORS, reals(-1e15, 1e15), reals(-1e4, 100.0), reals(-5.0, 5.0))
def test_a_draw_in_float32_is_finite_however_far(
    prior: Prior, posterior: FactorisedGaussian, mean: float, raw: float, noise: float
) -> None:
    """Also where sigma goes to 0 and where the narrow component's density is e^-1e37."""
    mu, rho = (torch.tensor([each], requires_grad=True) for each in (mean, raw))
    complexity, (weights,) = draw_and_price(mu, rho, torch.tensor([noise]), prior, posterior, [torch.Size([1])])
    gradients = torch.autograd.grad(complexity + weights.sum(), [mu, rho])
    for value in (complexity, weights, *gradients, posterior.sigma(rho)):
        assert bool(value.isfinite().all())
    assert bool((posterior.sigma(rho) > 0).all())


@given(POSTERIORS, reals(-80.0, 30.0), reals(0.01, 10.0))
def test_sigma_grows_with_rho(posterior: FactorisedGaussian, rho: float, further: float) -> None:
    sigma, slope = posterior.sigma_and_slope(doubles([rho, rho + further]))
    assert bool(sigma[1] > sigma[0])
    assert bool((slope > 0).all())


@given(reals(-20.0, 20.0), SCALES, reals(-20.0, 20.0), SCALES)
def test_a_divergence_is_not_negative_and_zero_of_equals(mu: float, sigma: float, mean: float, scale: float) -> None:
    divergence = gaussian_kl(doubles([mu]), doubles([sigma]), mean, scale)
    assert float(divergence) >= -1e-12
    assert abs(float(gaussian_kl(doubles([mu]), doubles([sigma]), mu, sigma))) < 1e-9
    # KL[q || p] = -H[q] - E_q[log p]; log p is quadratic, so its mean is that over mu +- sigma.
    ends = gaussian_log_prob(doubles([mu - sigma, mu + sigma]), mean, scale).mean()
    torch.testing.assert_close(divergence[0], -gaussian_entropy(doubles([sigma]))[0] - ends, rtol=1e-9, atol=1e-9)


@given(reals(-1e6, 1e6), reals(-1e3, 80.0), reals(-5.0, 5.0))
def test_a_latent_variable_is_finite_however_narrow(mean: float, log_variance: float, noise: float) -> None:
    m, eta = (torch.tensor([each], requires_grad=True) for each in (mean, log_variance))
    h = diagonal_gaussian.draw(m, eta, torch.tensor([noise]))
    values = diagonal_gaussian.log_prob(h, m, eta) - diagonal_gaussian.standard_log_prob(h)
    kl = diagonal_gaussian.kl_to_standard(m, eta)
    assert float(kl.detach()) >= -1e-6 * (1.0 + abs(log_variance))
    for value in (h, values, kl, *torch.autograd.grad((values + kl).sum(), [m, eta])):
        assert bool(value.isfinite().all())


@given(st.lists(reals(-1e30, 1e30), min_size=1, max_size=9))
def test_a_mean_weight_lies_between_the_weights(values: list[float]) -> None:
    log_weights = torch.tensor(values)
    mean = log_mean_exp(log_weights)
    room = 1e-5 * (1.0 + log_weights.abs().max())
    assert bool(log_weights.min() - room <= mean <= log_weights.max() + room)
    torch.testing.assert_close(normalised_weights(log_weights).sum(), torch.tensor(1.0))


@given(st.sampled_from([Uniform(), Geometric()]), st.integers(1, 5000))
def test_the_shares_of_an_epoch_add_up_to_one(weighting: Weighting, minibatches: int) -> None:
    shares = [weighting(each, minibatches) for each in range(minibatches)]
    assert math.isclose(math.fsum(shares), 1.0, rel_tol=1e-12)
    assert min(shares) >= 0.0
