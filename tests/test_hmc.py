"""These need NumPyro, of the extra `hmc`."""

import pytest
import torch
from torch.func import functional_call

pytest.importorskip("numpyro", reason="needs the extra hmc")

from benchmarks.hmc import nuts
from benchmarks.hmc.experiment import QUICK, run
from benchmarks.hmc.page import page
from benchmarks.hmc.problems import Problem, line, moons
from benchmarks.hmc.report import ENSEMBLE, HALF, MEAN_FIELD, MIXTURE, NUTS
from lightning_vi.predictive import Predictive
from tests.straight_line import straight


@pytest.mark.parametrize("problem", [line(), moons(), line(hidden=(5, 4))], ids=["line", "moons", "deep line"])
def test_both_implementations_have_one_joint_density(problem: Problem) -> None:
    # Up to the line's noise, which our likelihood has in float32.
    network, prior = problem.new_network().double(), problem.prior
    inputs, targets = problem.training.tensors
    weights = {name: 2.0 * torch.randn_like(value) for name, value in network.state_dict().items()}
    outputs = functional_call(network, weights, (inputs.double(),))
    log_prior = torch.cat([prior.log_prob(value).flatten() for value in weights.values()]).sum()
    ours = log_prior - problem.likelihood.nll(outputs, targets).sum()
    assert nuts.log_joint(problem, weights) == pytest.approx(ours.item(), rel=1e-6)


def test_the_sampler_finds_the_posterior_of_a_straight_line() -> None:
    problem, features, precision, mean = straight()
    chains = nuts.sample(problem, chains=2, warmup=200, samples=1000)
    outputs = nuts.outputs(problem, chains, problem.grid)
    predictive, of = Predictive(problem.likelihood, outputs.flatten(0, 1)), nuts.convergence(outputs.squeeze(-1))
    variance = (features @ torch.linalg.inv(precision) * features).sum(dim=1)
    error = (predictive.mean.squeeze(1) - features @ mean) / variance.sqrt()
    assert error.abs().max() < 5 / of.effective**0.5
    torch.testing.assert_close(predictive.epistemic_variance.squeeze(1), variance, atol=0.0, rtol=0.2)
    assert chains.divergences == 0
    assert of.r_hat < 1.05
    assert of.effective > 200


def test_chains_that_disagree_are_found_out() -> None:
    agreeing, apart = torch.randn(4, 500, 3), torch.randn(4, 500, 3)
    apart[0, :, 1] += 3.0
    assert nuts.convergence(agreeing).r_hat < 1.02
    assert nuts.convergence(agreeing).effective > 1000
    assert nuts.convergence(apart).r_hat > 1.4
    assert nuts.convergence(apart).effective < 20


def test_rehearsal_compares_every_method() -> None:
    figures, predictives = run(moons(size=20, hidden=(3,)), QUICK)
    assert {name: len(seeds) for name, seeds in predictives.items()} == {
        NUTS: 1,
        HALF: 1,
        MEAN_FIELD: QUICK.members,
        MIXTURE: 1,
        ENSEMBLE: 1,
    }
    assert all(torch.isfinite(each.outputs).all() for seeds in predictives.values() for each in seeds)
    text = page(figures, "device", "commit")
    assert "| NUTS |" in text
    assert "nan" not in text
