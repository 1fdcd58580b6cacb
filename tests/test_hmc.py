"""These need NumPyro, of the extra `hmc`."""

import pytest
import torch
from torch.func import functional_call

pytest.importorskip("numpyro", reason="needs the extra hmc")

from benchmarks.hmc import nuts
from benchmarks.hmc.experiment import QUICK, run
from benchmarks.hmc.page import page
from benchmarks.hmc.problems import Problem, line, moons
from lightning_vi.predictive import Predictive
from tests.straight_line import straight


@pytest.mark.parametrize("problem", [line(), moons(), line(hidden=(5, 4))], ids=["line", "moons", "deep line"])
def test_both_implementations_have_one_joint_density(problem: Problem) -> None:
    # Up to the noise of the line, whose likelihood here has it in float32.
    network, prior = problem.new_network().double(), problem.prior
    inputs, targets = problem.training.tensors
    for _ in range(3):
        weights = {name: 2.0 * torch.randn_like(value) for name, value in network.state_dict().items()}
        outputs = functional_call(network, weights, (inputs.double(),))
        ours = sum(prior.log_prob(value).sum() for value in weights.values())
        ours = ours - problem.likelihood.nll(outputs, targets).sum()
        assert nuts.log_joint(problem, weights) == pytest.approx(float(ours), rel=1e-6)


def test_the_sampler_finds_the_posterior_of_a_line() -> None:
    problem, features, precision, mean = straight()
    chains = nuts.sample(problem, chains=2, warmup=300, samples=1000)
    outputs = nuts.outputs(problem, chains, problem.grid)
    predictive = Predictive(problem.likelihood, outputs.flatten(0, 1))
    covariance = features @ torch.linalg.inv(precision) @ features.T
    torch.testing.assert_close(predictive.mean.squeeze(1), features @ mean, atol=0.1, rtol=0.0)
    torch.testing.assert_close(predictive.epistemic_variance.squeeze(1), covariance.diag(), atol=0.0, rtol=0.25)
    assert chains.divergences == 0
    of = nuts.convergence(outputs.squeeze(-1))
    assert of.r_hat < 1.05
    assert of.effective > 200


def test_chains_that_disagree_are_found_out() -> None:
    agreeing, apart = torch.randn(4, 500, 3), torch.randn(4, 500, 3)
    apart[0, :, 1] += 3.0
    assert nuts.convergence(agreeing).r_hat < 1.02
    assert nuts.convergence(agreeing).effective > 1000
    assert nuts.convergence(apart).r_hat > 1.5
    assert nuts.convergence(apart).effective < 20


def test_rehearsal_compares_every_method_on_every_problem() -> None:
    lines = []
    for problem in (line(size=20, hidden=(4,)), moons(size=20, hidden=(3,))):
        figures, predictives = run(problem, QUICK)
        lines += figures
        assert len(predictives) == 5
        assert all(torch.isfinite(each.outputs).all() for some in predictives.values() for each in some)
    text = page(lines, QUICK, "device", "commit")
    assert text.count("| NUTS |") == 2
    assert "nan" not in text
