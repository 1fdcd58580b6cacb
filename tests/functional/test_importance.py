import math

import numpy as np
import pytest
import scipy.special
import torch

from lightning_vi.functional.importance import log_mean_exp, normalised_weights


def test_log_mean_exp_is_scipys() -> None:
    log_weights = 3 * torch.randn(50, 4, dtype=torch.float64)
    truth = scipy.special.logsumexp(log_weights.numpy(), axis=0, b=1 / 50)
    np.testing.assert_allclose(log_mean_exp(log_weights).numpy(), truth, rtol=1e-12)


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_a_common_factor_of_all_weights_comes_out_whatever_its_size(shift: float) -> None:
    log_weights = torch.randn(9, 2, 3, dtype=torch.float64)
    shifted = log_mean_exp(log_weights + shift)
    assert shifted.shape == (2, 3)
    torch.testing.assert_close(shifted - shift, log_mean_exp(log_weights), rtol=0, atol=1e-11)


def test_one_weight_is_its_own_mean_and_equal_ones_are_too() -> None:
    one = torch.randn(1, 5)
    assert torch.equal(log_mean_exp(one), one[0])
    torch.testing.assert_close(log_mean_exp(one.expand(6, -1)), one[0])


def test_a_weight_of_zero_counts() -> None:
    assert float(log_mean_exp(torch.tensor([-math.inf, 0.0]))) == pytest.approx(-math.log(2))


def test_the_mean_weight_is_unbiased_and_its_logarithm_a_bound_that_rises() -> None:
    """With h ~ N(0, 1), w = exp(h - 1/2) has the mean 1 = p(x); the lower bound of log p(x) = 0 is -1/2 at k = 1."""
    log_weights = torch.randn(64, 20_000, dtype=torch.float64) - 0.5
    weights = log_mean_exp(log_weights).exp()
    assert abs(weights.mean() - 1) < 5 * weights.std() / math.sqrt(20_000)
    bounds = [log_mean_exp(log_weights[:k]) for k in (1, 4, 16, 64)]
    assert abs(bounds[0].mean() + 0.5) < 5 / math.sqrt(20_000)  # the standard deviation of log w is 1
    means = [float(each.mean()) for each in bounds]
    assert means == sorted(means)
    assert means[-1] < 0


def test_normalised_weights_are_the_gradient_of_the_log_mean_and_constants() -> None:
    log_weights = (40 * torch.randn(6, 3, dtype=torch.float64)).requires_grad_()
    normalised = normalised_weights(log_weights)
    assert not normalised.requires_grad
    torch.testing.assert_close(normalised.sum(dim=0), torch.ones(3).double())
    (gradient,) = torch.autograd.grad(log_mean_exp(log_weights).sum(), log_weights)
    torch.testing.assert_close(normalised, gradient)
