import copy
import math

import pytest
import torch
from torch import distributions as dist

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Categorical, Gaussian, HeteroscedasticGaussian, Likelihood, Standardised
from lightning_vi.predictive import Predictive

TARGETS = torch.tensor([[1000.0, -0.3], [3000.0, 0.1], [2000.0, 0.5]])


def started(within: Likelihood) -> Standardised:
    likelihood = Standardised(within)
    likelihood.start(TARGETS)
    return likelihood


def test_density_is_that_of_an_affine_map() -> None:
    outputs = torch.randn(4, 3, 4)
    mean, scale = TARGETS.mean(dim=0), TARGETS.std(dim=0, correction=0)
    for within in (Gaussian(0.5), HeteroscedasticGaussian()):
        likelihood = started(within)
        f = outputs[..., : likelihood.output_size(2)]
        base = within(f)
        truth = dist.TransformedDistribution(base, [dist.AffineTransform(mean, scale, event_dim=1)])
        torch.testing.assert_close(likelihood.nll(f, TARGETS), -truth.log_prob(TARGETS))
        standardised = (TARGETS - mean) / scale
        torch.testing.assert_close(
            likelihood.nll(f, TARGETS), within.nll(f, standardised) + scale.log().sum(), rtol=1e-4, atol=1e-4
        )


def test_predictions_are_in_the_targets_own_units() -> None:
    outputs = torch.randn(5, 3, 2)
    mean, scale = TARGETS.mean(dim=0), TARGETS.std(dim=0, correction=0)
    own, plain = Predictive(started(Gaussian(0.5)), outputs), Predictive(Gaussian(0.5), outputs)
    torch.testing.assert_close(own.mean, mean + scale * plain.mean)
    torch.testing.assert_close(own.variance, scale**2 * plain.variance)
    torch.testing.assert_close(own.epistemic_variance, scale**2 * plain.epistemic_variance)
    levels = [0.05, 0.5, 0.95]
    torch.testing.assert_close(
        own.quantiles(levels), mean + scale * plain.quantiles(levels), rtol=1e-4, atol=1e-4 * float(scale.max())
    )


def test_units_are_kept_and_found_once() -> None:
    likelihood = started(Gaussian(0.5, learn=True))
    assert likelihood.mean.tolist() == pytest.approx([2000.0, 0.1])
    likelihood.start(TARGETS * 2)
    state = likelihood.state_dict()
    assert [name for name in state if "extra" not in name] == ["likelihood.log_sigma"]
    other = Standardised(Gaussian(1.0, learn=True))
    other.load_state_dict(state)
    for each in (other, copy.deepcopy(likelihood)):
        torch.testing.assert_close(each.scale, TARGETS.std(dim=0, correction=0))
        each.start(TARGETS * 2)
        assert each.mean.tolist() == likelihood.mean.tolist()
    assert other(torch.zeros(1, 2)).base_dist.scale[0, 0].item() == pytest.approx(0.5 * math.sqrt(2e6 / 3))


def test_units_are_kept_in_float64_too() -> None:
    likelihood, other = Standardised(Gaussian()).double(), Standardised(Gaussian()).double()
    likelihood.start(TARGETS.double() / 3)
    other.load_state_dict(likelihood.state_dict())
    assert torch.equal(other.mean, likelihood.mean)
    assert torch.equal(other.scale, likelihood.scale)


def test_gradients_reach_outputs_and_noise() -> None:
    likelihood, outputs = started(Gaussian(0.5, learn=True)), torch.randn(3, 2, requires_grad=True)
    likelihood.nll(outputs, TARGETS).sum().backward()
    assert outputs.grad is not None
    assert all(each.grad is not None and each.grad.abs() > 0 for each in likelihood.parameters())


def test_mistakes() -> None:
    with pytest.raises(UserError, match="all training targets are equal"):
        Standardised(Gaussian()).start(torch.ones(4, 1))
    with pytest.raises(UserError, match=r"likelihood \(=Categorical\) must be Gaussian"):
        Standardised(Categorical())(torch.zeros(2, 3))
