import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Gaussian


@pytest.mark.parametrize("learn", [False, True])
def test_nll_is_scipys_summed_over_the_dimensions(learn: bool) -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 6, 5, dtype=torch.float64)
    likelihood = Gaussian(0.3, learn).double()
    truth = -scipy.stats.norm.logpdf(targets.numpy(), outputs.numpy(), 0.3).sum(-1)
    np.testing.assert_allclose(likelihood.nll(outputs, targets).detach().numpy(), truth, rtol=1e-6)


def test_density_integrates_to_one_with_the_right_moments() -> None:
    likelihood, mean = Gaussian(0.7).double(), torch.tensor([[1.5]], dtype=torch.float64)

    def moment(power: int) -> float:
        def integrand(y: float) -> float:
            density = math.exp(-likelihood.nll(mean, torch.tensor([[y]], dtype=torch.float64)).item())
            return density * (y - 1.5) ** power

        return float(scipy.integrate.quad(integrand, -8.0, 11.0, points=[1.5])[0])

    assert [moment(0), moment(1), moment(2)] == pytest.approx([1.0, 0.0, 0.49], rel=1e-6, abs=1e-9)


def test_learned_noise_is_drawn_to_the_residuals_standard_deviation() -> None:
    """d nll / d log sigma = sum_d (1 - r_d^2 / sigma^2), which vanishes at sigma^2 = mean r^2."""
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 50, 3, dtype=torch.float64)
    square = (targets - outputs).square().mean()
    for sigma in (0.5, square.sqrt().item()):
        likelihood = Gaussian(sigma, learn=True).double()
        (gradient,) = torch.autograd.grad(likelihood.nll(outputs, targets).mean(), [likelihood.log_sigma])
        torch.testing.assert_close(gradient, 3 * (1 - square / sigma**2), rtol=1e-6, atol=1e-6)


def test_the_state_of_a_learned_noise_fits_a_fixed_one() -> None:
    fixed = Gaussian(1.0)
    fixed.load_state_dict(Gaussian(0.25, learn=True).state_dict())
    assert fixed.sigma.item() == pytest.approx(0.25)
    assert repr(fixed) == "Gaussian(sigma=0.25, learn=False)"


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, math.nan])
def test_noise_that_is_not_positive_and_finite_is_refused(sigma: float) -> None:
    with pytest.raises(UserError, match=rf"Gaussian: sigma \(={sigma}\) must be positive"):
        Gaussian(sigma)
