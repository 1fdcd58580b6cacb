import math

import pytest
import torch
from scipy import optimize, stats
from torch import nn

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.predictive import Predictive, drawn_networks, sampled_outputs

OUTPUTS = torch.tensor([[[4.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)  # 2 draws, 1 example, 2 classes


def test_probabilities_are_averaged_not_logits_or_log_probabilities() -> None:
    predictive = Predictive(Categorical(), OUTPUTS)
    truth = OUTPUTS.softmax(-1).mean(0)
    torch.testing.assert_close(predictive.probabilities, truth)
    torch.testing.assert_close(predictive.nll(torch.tensor([1])), -truth[:, 1].log())
    of_mean_logits = OUTPUTS.mean(0).softmax(-1)
    of_mean_log_probabilities = OUTPUTS.log_softmax(-1).mean(0).softmax(-1)
    for wrong in (of_mean_logits, of_mean_log_probabilities):
        assert (wrong - truth).abs().max() > 0.05


def test_uncertainty_splits_into_expected_entropy_and_mutual_information() -> None:
    predictive = Predictive(Categorical(), OUTPUTS)
    probabilities = OUTPUTS.softmax(-1)
    entropies = [stats.entropy(p[0].numpy()) for p in probabilities]
    total = stats.entropy(probabilities.mean(0)[0].numpy())
    assert math.isclose(float(predictive.entropy), total, rel_tol=1e-9)
    assert math.isclose(float(predictive.expected_entropy), sum(entropies) / 2, rel_tol=1e-9)
    assert math.isclose(float(predictive.mutual_information), total - sum(entropies) / 2, rel_tol=1e-9)
    assert Predictive(Categorical(), OUTPUTS[:1]).mutual_information.abs() < 1e-12


def test_regression_variance_splits_into_noise_and_spread() -> None:
    outputs = torch.tensor([[[1.0, math.log(0.25)]], [[3.0, math.log(1.0)]]])
    predictive = Predictive(HeteroscedasticGaussian(), outputs)
    assert math.isclose(float(predictive.mean), 2.0, rel_tol=1e-6)
    assert math.isclose(float(predictive.aleatoric_variance), 0.625, rel_tol=1e-6)
    assert math.isclose(float(predictive.epistemic_variance), 1.0, rel_tol=1e-6)
    assert math.isclose(float(predictive.variance), 1.625, rel_tol=1e-6)


def test_quantiles_of_the_mixture() -> None:
    means = torch.tensor([-1.0, 0.5, 4.0], dtype=torch.float64)
    predictive = Predictive(Gaussian(0.5), means.view(3, 1, 1))
    quantiles = predictive.quantiles((0.05, 0.5, 0.9)).flatten()
    for level, quantile in zip((0.05, 0.5, 0.9), quantiles, strict=True):
        truth = optimize.brentq(
            lambda v, level=level: stats.norm.cdf(v, loc=means.numpy(), scale=0.5).mean() - level, -9, 9
        )
        assert math.isclose(float(quantile), truth, rel_tol=1e-6)


def test_levels_are_those_of_the_mixtures_distribution_function() -> None:
    means, targets = torch.tensor([-1.0, 0.5, 4.0]).double(), torch.tensor([[-0.7], [2.0]]).double()
    predictive = Predictive(Gaussian(0.5), means.view(3, 1, 1).expand(3, 2, 1))
    expected = [[stats.norm.cdf(y, loc=means.numpy(), scale=0.5).mean()] for y in targets.flatten().tolist()]
    torch.testing.assert_close(predictive.cdf(targets), torch.tensor(expected, dtype=torch.float64))
    levels = torch.tensor([0.05, 0.5, 0.9]).double()
    for level, quantile in zip(levels, predictive.quantiles(levels.tolist()), strict=True):
        torch.testing.assert_close(predictive.cdf(quantile), level.expand(2, 1), rtol=1e-6, atol=0)


def test_crps_is_the_integral_over_the_distribution_function() -> None:
    outputs, targets = torch.tensor([[[1.0, -0.5]], [[3.0, 0.2]]]).double(), torch.tensor([[1.7]]).double()
    predictive = Predictive(HeteroscedasticGaussian(), outputs)
    grid = torch.linspace(-20, 30, 500_001).double()
    levels = Predictive(HeteroscedasticGaussian(), outputs.expand(2, len(grid), 2)).cdf(grid.unsqueeze(1)).squeeze(1)
    square = (levels - (grid >= targets.squeeze()).double()).square()
    torch.testing.assert_close(predictive.crps(targets).squeeze(), torch.trapezoid(square, grid), rtol=1e-4, atol=0)


def test_nll_of_a_density_mixture() -> None:
    predictive = Predictive(Gaussian(0.5), torch.tensor([-1.0, 0.5]).double().view(2, 1, 1))
    truth = -math.log(stats.norm.pdf(0.2, loc=[-1.0, 0.5], scale=0.5).mean())
    assert math.isclose(float(predictive.nll(torch.tensor([[0.2]]).double())), truth, rel_tol=1e-6)


def test_a_central_interval_holds_its_share() -> None:
    means = torch.tensor([-1.0, 0.5, 4.0], dtype=torch.float64)
    predictive = Predictive(Gaussian(0.5), means.view(3, 1, 1))
    for level in (0.5, 0.9, 0.99):
        lower, upper = (float(end) for end in predictive.interval(level))
        below, up_to = (stats.norm.cdf(end, loc=means.numpy(), scale=0.5).mean() for end in (lower, upper))
        assert math.isclose(below, (1 - level) / 2, rel_tol=1e-6)
        assert math.isclose(up_to - below, level, rel_tol=1e-6)
    single = Predictive(Gaussian(0.5), torch.zeros(1, 1, 1, dtype=torch.float64))
    assert math.isclose(float(single.interval(0.95)[1]), 0.5 * stats.norm.ppf(0.975), rel_tol=1e-6)


def test_samples_of_classes_follow_the_averaged_probabilities() -> None:
    outputs = torch.randn(4, 3, 5, dtype=torch.float64)
    predictive, count = Predictive(Categorical(), outputs), 20_000
    samples = predictive.samples(count)
    assert samples.shape == (count, 3)
    assert samples.dtype == torch.int64
    for column, probabilities in zip(samples.T, predictive.probabilities, strict=True):
        observed = torch.bincount(column, minlength=5)
        assert stats.chisquare(observed.numpy(), count * probabilities.numpy()).pvalue > 1e-4


def test_samples_of_a_regression_follow_the_mixture() -> None:
    means = torch.tensor([-2.0, 0.5, 3.0])
    samples = Predictive(Gaussian(0.5), means.view(3, 1, 1)).samples(5000).flatten()
    truth = stats.kstest(samples.numpy(), lambda y: stats.norm.cdf(y[:, None], loc=means.numpy(), scale=0.5).mean(1))
    assert truth.pvalue > 1e-4


def test_a_sample_has_one_draw_for_all_inputs() -> None:
    outputs = torch.tensor([-10.0, 10.0]).view(2, 1, 1).expand(2, 6, 1)
    samples = Predictive(Gaussian(0.1), outputs).samples(50).squeeze(-1)
    assert (samples.sign() == samples[:, :1].sign()).all()
    assert 10 < (samples[:, 0] > 0).sum() < 40


@pytest.mark.parametrize("likelihood", [Categorical(), Gaussian(), HeteroscedasticGaussian(), Bernoulli()], ids=repr)
def test_samples_of_a_seed_leave_the_global_stream(likelihood: Likelihood) -> None:
    predictive, state = Predictive(likelihood, torch.randn(3, 4, 2)), torch.get_rng_state()
    first, again, other = predictive.samples(9), predictive.samples(9), predictive.samples(9, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_repr() -> None:
    assert repr(Predictive(Categorical(), OUTPUTS)) == "Predictive(Categorical, draws=2, inputs=1)"


def test_wrong_questions() -> None:
    with pytest.raises(UserError, match="Gaussian has no class probabilities"):
        _ = Predictive(Gaussian(), torch.zeros(1, 1, 1)).entropy
    with pytest.raises(UserError, match="Categorical has no quantiles"):
        Predictive(Categorical(), OUTPUTS).quantiles([0.5])
    for score in (Predictive.cdf, Predictive.crps):
        with pytest.raises(UserError, match=r"targets of shape \(4,\) do not fit"):
            score(Predictive(Gaussian(), torch.zeros(2, 4, 1)), torch.zeros(4))
    with pytest.raises(UserError, match="Categorical has no quantiles"):
        Predictive(Categorical(), OUTPUTS).interval(0.5)
    for name in ("mean", "variance", "epistemic_variance", "aleatoric_variance"):
        with pytest.raises(UserError, match="Categorical has no mean and no variance; use probabilities and entropy"):
            getattr(Predictive(Categorical(), OUTPUTS), name)
    regression = Predictive(Gaussian(), torch.zeros(1, 1, 1))
    with pytest.raises(UserError, match=r"interval: level \(=1.0\) must lie in \(0, 1\)"):
        regression.interval(1.0)
    with pytest.raises(UserError, match=r"quantiles: levels \(=95\) must lie in \(0, 1\)"):
        regression.quantiles([95])
    with pytest.raises(UserError, match=r"samples: count \(=0\) must be at least 1"):
        regression.samples(0)


def test_one_draw_serves_all_batches() -> None:
    model = BayesianModule(nn.Linear(3, 2), posterior=SoftplusScale(0.5))
    x = torch.randn(10, 3)
    whole = sampled_outputs(model, x, draws=4)
    parts = torch.cat([sampled_outputs(model, part, draws=4) for part in x.split(3)], dim=1)
    torch.testing.assert_close(whole, parts)
    assert whole.shape == (4, 10, 2)
    assert model.noise.position == 0
    assert whole.std(0).min() > 0


def test_another_seed_gives_other_draws_and_more_draws_the_same_first_ones() -> None:
    model, x = BayesianModule(nn.Linear(3, 2), posterior=SoftplusScale(0.5)), torch.randn(5, 3)

    def outputs(draws: int, seed: int | None = None) -> torch.Tensor:
        return torch.cat([network(x) for network in drawn_networks(model, draws, seed)]).detach()

    assert torch.equal(outputs(4, seed=model.noise.seed), outputs(4))
    assert not torch.allclose(outputs(4, seed=1), outputs(4))
    torch.testing.assert_close(outputs(20)[:4], outputs(4))


def test_the_posterior_mean_is_one_network() -> None:
    model, x = BayesianModule(nn.Linear(3, 2)), torch.randn(5, 3)
    assert torch.equal(sampled_outputs(model, x, "mean"), model(x, model.mean()).detach().unsqueeze(0))


def test_no_draws() -> None:
    with pytest.raises(UserError, match=r"draws \(=0\) must be at least 1"):
        sampled_outputs(BayesianModule(nn.Linear(3, 2)), torch.randn(1, 3), 0)
