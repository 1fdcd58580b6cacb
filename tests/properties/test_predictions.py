"""What holds for all likelihoods, predictive distributions and calibration scores, at extreme outputs too."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lightning_vi.functional.scores import brier_score
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.metrics import ClassificationScores
from lightning_vi.predictive import Predictive


def reals(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@st.composite
def logits(draw: st.DrawFn, largest: float = 1e30, least_classes: int = 2) -> Tensor:
    """Shape (S, B, K), float32."""
    samples, batch, classes = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(least_classes, 5))
    size = samples * batch * classes
    scale = draw(st.sampled_from([1.0, 100.0, largest]))
    values = draw(st.lists(reals(-1.0, 1.0), min_size=size, max_size=size))
    return scale * torch.tensor(values).view(samples, batch, classes)


@given(logits())
def test_classes_have_a_distribution(outputs: Tensor) -> None:
    predictive = Predictive(Categorical(), outputs)
    probabilities = predictive.probabilities
    torch.testing.assert_close(probabilities.sum(dim=-1), torch.ones(outputs.shape[1]))
    assert bool((probabilities >= 0.0).all())
    nll = torch.stack([predictive.nll(torch.full((outputs.shape[1],), k)) for k in range(outputs.shape[-1])])
    torch.testing.assert_close(torch.exp(-nll).sum(dim=0), torch.ones(outputs.shape[1]))
    assert bool(nll.isfinite().all())


@given(logits())
def test_uncertainty_splits(outputs: Tensor) -> None:
    """log K >= entropy >= mutual information >= 0, and the expected entropy is the rest."""
    predictive = Predictive(Categorical(), outputs)
    entropy, information = predictive.entropy, predictive.mutual_information
    room = 1e-5
    assert bool((information >= 0.0).all())
    assert bool((entropy >= information - room).all())
    assert bool((entropy <= math.log(outputs.shape[-1]) + room).all())
    torch.testing.assert_close(information, entropy - predictive.expected_entropy, rtol=0, atol=room)
    one = Predictive(Categorical(), outputs[:1])
    torch.testing.assert_close(one.mutual_information, torch.zeros_like(entropy), rtol=0, atol=room)


@given(st.lists(reals(-30.0, 30.0), min_size=1, max_size=5))
def test_bits_have_a_distribution(values: list[float]) -> None:
    outputs = torch.tensor(values, dtype=torch.float64)
    words = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(values))), dtype=torch.float64)
    nll = Bernoulli().nll(outputs.expand(len(words), -1), words)
    torch.testing.assert_close(torch.exp(-nll).sum(), torch.ones((), dtype=torch.float64))
    assert bool((nll >= 0.0).all())


@pytest.mark.parametrize("likelihood", [Gaussian(0.3), HeteroscedasticGaussian()], ids=repr)
@given(mean=reals(-3.0, 3.0), rho=reals(-6.0, 3.0))
def test_a_number_has_a_distribution(likelihood: Likelihood, mean: float, rho: float) -> None:
    outputs = torch.tensor([[mean, rho][: likelihood.output_size(1)]], dtype=torch.float64)
    grid = mean + torch.linspace(-60.0, 60.0, 100_001, dtype=torch.float64)
    density = torch.exp(-likelihood.nll(outputs.expand(len(grid), -1), grid.unsqueeze(-1)))
    torch.testing.assert_close(torch.trapezoid(density, grid), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical()], ids=repr)
@given(outputs=logits())
def test_extreme_logits_give_finite_losses_and_gradients(likelihood: Likelihood, outputs: Tensor) -> None:
    outputs = outputs.requires_grad_()
    targets = torch.zeros(outputs.shape[1:]) if isinstance(likelihood, Bernoulli) else torch.zeros(outputs.shape[1:2])
    nll = likelihood.nll(outputs, targets if isinstance(likelihood, Bernoulli) else targets.long())
    (gradient,) = torch.autograd.grad(nll.mean(), outputs)
    assert bool(nll.isfinite().all())
    assert bool((nll >= 0.0).all())
    assert bool(gradient.isfinite().all())


@given(rho=reals(-1e4, 80.0), error=st.sampled_from([0.0, 1e-20, 1e-6, 1.0]))
def test_a_density_of_vanishing_width_is_no_nan(rho: float, error: float) -> None:
    """Of a pixel that never varies, met exactly: its log variance falls for as long as training goes on."""
    outputs = torch.tensor([[0.0, rho]], requires_grad=True)
    nll = HeteroscedasticGaussian().nll(outputs, torch.tensor([[error]]))
    (gradient,) = torch.autograd.grad(nll.sum(), outputs)
    assert not bool(nll.isnan().any())
    assert not bool(gradient.isnan().any())
    learned = Gaussian(learn=True)
    with torch.no_grad():
        learned.log_sigma.fill_(rho / 2)
    (gradient,) = torch.autograd.grad(learned.nll(outputs[:, :1], torch.tensor([[0.0]])).sum(), learned.log_sigma)
    assert bool(gradient.isfinite())


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits (1, B, K) and classes (B,), from a batch of one on, of one class or several."""
    outputs = draw(logits(largest=50.0))[:1]
    classes = draw(st.integers(1, outputs.shape[-1]))
    size = outputs.shape[1]
    return outputs, torch.tensor(draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)))


def scored(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    scores = ClassificationScores(outputs.shape[-1])
    for first in range(0, len(targets), 2):  # so that the last batch may be of one
        part = slice(first, first + 2)
        scores.update(Predictive(Categorical(), outputs[:, part]), targets[part])
    return {name: float(value) for name, value in scores.compute().items()}


@given(predictions(), st.randoms(use_true_random=False))
def test_scores_are_bounded_and_know_no_order(case: tuple[Tensor, Tensor], random: object) -> None:
    outputs, targets = case
    scores = scored(outputs, targets)
    assert 0.0 <= scores["ece"] <= 1.0 + 1e-6
    assert 0.0 <= scores["ece_adaptive"] <= 1.0 + 1e-6
    assert 0.0 <= scores["aurc"] <= 1.0
    assert 0.0 <= scores["error"] <= 100.0
    assert 0.0 <= scores["brier"] <= 2.0 + 1e-6
    assert 0.0 <= scores["nll"] < math.inf
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    assert scored(outputs[:, order], targets[order]) == pytest.approx(scores, rel=1e-5, abs=1e-6)


@given(logits(largest=20.0))
def test_the_true_class_alone_minimises_the_brier_score(outputs: Tensor) -> None:
    """It is proper: no other report has a smaller expectation under p."""
    probabilities = Predictive(Categorical(), outputs.double()).probabilities
    batch, classes = probabilities.shape
    other = probabilities.roll(1, dims=1)
    scores = [
        sum(
            probabilities[:, k] * brier_score(report, torch.full((batch,), k, dtype=torch.int64))
            for k in range(classes)
        )
        for report in (probabilities, other)
    ]
    assert bool((torch.as_tensor(scores[0]) <= torch.as_tensor(scores[1]) + 1e-12).all())
