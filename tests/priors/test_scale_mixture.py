import math

import pytest
import torch
from scipy import integrate
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from lightning_vi.errors import UserError
from lightning_vi.priors import ScaleMixture


def independent(pi: float, sigma1: float, sigma2: float) -> MixtureSameFamily:
    scales = torch.tensor([sigma1, sigma2], dtype=torch.float64)
    shares = torch.tensor([pi, 1 - pi], dtype=torch.float64)
    return MixtureSameFamily(Categorical(shares), Normal(torch.zeros(2, dtype=torch.float64), scales))


PRIORS = [(0.5, 1.0, 1e-3**0.5), (0.25, 1.0, math.exp(-8)), (0.75, math.exp(-1), math.exp(-6))]
W = torch.cat([torch.linspace(-20, 20, 4001), torch.logspace(-6, 1, 1001)]).double()


@pytest.mark.parametrize("arguments", PRIORS)
def test_density_against_torch_distributions(arguments: tuple[float, float, float]) -> None:
    torch.testing.assert_close(
        ScaleMixture(*arguments).log_prob(W), independent(*arguments).log_prob(W), rtol=1e-12, atol=1e-12
    )


def test_pi_is_the_share_of_the_first_component() -> None:
    prior = ScaleMixture(pi=0.9, sigma1=2.0, sigma2=0.01)
    tail = ScaleMixture(pi=0.1, sigma1=2.0, sigma2=0.01)
    # Far out only the wide component counts, so the densities there are as 9 to 1.
    far = torch.tensor([3.0], dtype=torch.float64)
    assert math.isclose(float(prior.log_prob(far) - tail.log_prob(far)), math.log(9.0), rel_tol=1e-12)


def test_density_integrates_to_one() -> None:
    prior = ScaleMixture(0.3, 1.0, 0.05)

    def density(w: float) -> float:
        return float(prior.log_prob(torch.tensor(w, dtype=torch.float64)).exp())

    assert math.isclose(integrate.quad(density, -12, 12, points=[-0.2, 0, 0.2])[0], 1.0, rel_tol=1e-8)


def exact_score(prior: ScaleMixture, weights: Tensor) -> Tensor:
    points = weights.double().requires_grad_()
    (gradient,) = torch.autograd.grad(independent(prior.pi, prior.sigma1, prior.sigma2).log_prob(points).sum(), points)
    return gradient


@pytest.mark.parametrize("arguments", PRIORS)
def test_single_precision_score_far_out(arguments: tuple[float, float, float]) -> None:
    prior = ScaleMixture(*arguments)
    weights = torch.cat([torch.linspace(-20, 20, 801), torch.logspace(-6, 1.3, 801), -torch.logspace(-6, 1.3, 801)])
    weights = weights[weights != 0]
    score = prior.score(weights)
    assert score.isfinite().all()
    truth = exact_score(prior, weights)
    # Between the components the log odds, thousands in size, are rounded, which bounds what float32 can give.
    precision2 = prior.sigma2**-2
    slack = 1e-5 + 4e-7 * (0.5 * precision2 * weights.double().square()).clamp(max=100)
    assert (((score.double() - truth) / truth).abs() < slack).all()


def test_a_weight_at_five_is_pulled_back_by_the_wide_component() -> None:
    score = ScaleMixture(0.5, 1.0, math.exp(-8)).score(torch.tensor([5.0]))
    assert math.isclose(float(score), -5.0, rel_tol=1e-6)
    log_prob = ScaleMixture(0.5, 1.0, math.exp(-8)).log_prob(torch.tensor([5.0]))
    assert math.isclose(float(log_prob), math.log(0.5) - 0.5 * math.log(2 * math.pi) - 12.5, rel_tol=1e-6)


@pytest.mark.parametrize("arguments", PRIORS)
def test_complexity_is_log_q_minus_log_p_at_the_draw(arguments: tuple[float, float, float]) -> None:
    prior, epsilon = ScaleMixture(*arguments), torch.randn(len(W), dtype=torch.float64)
    for sigma in (1e-4, 0.05, 3.0):
        scale = torch.full_like(W, sigma)
        drawn = W + scale * epsilon
        truth = Normal(W, scale).log_prob(drawn) - independent(*arguments).log_prob(drawn)
        torch.testing.assert_close(prior.complexity(W, scale, epsilon), truth, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("pi", [0.0, 1.0, 1.2, float("nan")])
def test_bad_share(pi: float) -> None:
    with pytest.raises(UserError, match=r"pi \(=.*\) must lie in \(0, 1\)"):
        ScaleMixture(pi=pi)


@pytest.mark.parametrize(("sigma1", "sigma2"), [(1.0, 0.0), (1.0, -1.0), (1.0, 2.0)])
def test_bad_scales(sigma1: float, sigma2: float) -> None:
    with pytest.raises(UserError, match="sigma2"):
        ScaleMixture(0.5, sigma1, sigma2)
