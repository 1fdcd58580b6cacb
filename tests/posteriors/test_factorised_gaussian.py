import copy
import math
import pickle

import pytest
import torch

from lightning_vi.errors import UserError
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance

RHO = torch.linspace(-60, 60, 241, dtype=torch.float64)


def test_the_lectures_parameterisation() -> None:
    torch.testing.assert_close(SoftplusVariance().sigma(RHO).square(), torch.log1p(RHO.exp()))


def test_blundells_parameterisation() -> None:
    torch.testing.assert_close(SoftplusScale().sigma(RHO), torch.log1p(RHO.exp()))


@pytest.mark.parametrize("posterior", [SoftplusScale(), SoftplusVariance()])
def test_slope_is_the_derivative(posterior: FactorisedGaussian) -> None:
    rho = RHO.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(posterior.sigma(rho).sum(), rho)
    torch.testing.assert_close(posterior.sigma_and_slope(RHO)[1], gradient)


@pytest.mark.parametrize("kind", [SoftplusScale, SoftplusVariance])
@pytest.mark.parametrize("sigma", [1e-6, 0.0067, 1.0, 30.0])
def test_initial_sigma(kind: type[FactorisedGaussian], sigma: float) -> None:
    posterior = kind(sigma)
    rho = torch.tensor(posterior.initial_rho, dtype=torch.float64)
    assert math.isclose(float(posterior.sigma(rho)), sigma, rel_tol=1e-9)
    assert f"initial_sigma={sigma:.6g}" in repr(copy.deepcopy(pickle.loads(pickle.dumps(posterior))))


def test_softplus_of_zero_is_not_zero() -> None:
    """Setting rho to 0 does not remove a weight's noise: sigma is then 0.69 (0.83 in the lecture's form)."""
    assert math.isclose(float(SoftplusScale().sigma(torch.zeros(()))), math.log(2), rel_tol=1e-6)
    assert math.isclose(float(SoftplusVariance().sigma(torch.zeros(()))), math.log(2) ** 0.5, rel_tol=1e-6)


def test_bad_initial_sigma() -> None:
    with pytest.raises(UserError, match=r"SoftplusScale: initial_sigma \(=0\) must be > 0"):
        SoftplusScale(0)
