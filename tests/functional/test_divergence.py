import math

import torch
from scipy import integrate
from torch.distributions import Normal, kl_divergence

from lightning_vi.functional import divergence

MU = torch.tensor([-3.0, 0.0, 0.7, 20.0], dtype=torch.float64)
SIGMA = torch.tensor([1e-4, 0.5, 2.0, 7.0], dtype=torch.float64)


def test_against_torch_distributions() -> None:
    q, p = Normal(MU, SIGMA), Normal(torch.tensor(0.3).double(), torch.tensor(1.7).double())
    torch.testing.assert_close(divergence.gaussian_kl(MU, SIGMA, 0.3, 1.7), kl_divergence(q, p), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(divergence.gaussian_entropy(SIGMA), q.entropy())
    torch.testing.assert_close(divergence.gaussian_log_prob(MU, 0.3, 1.7), p.log_prob(MU), rtol=1e-7, atol=1e-7)


def test_entropy_has_the_factor_one_half_that_the_lecture_drops() -> None:
    def integrand(x: float) -> float:
        density = Normal(0.0, 0.5).log_prob(torch.tensor(x, dtype=torch.float64))
        return float(-density.exp() * density)

    truth = integrate.quad(integrand, -6, 6)[0]
    assert math.isclose(float(divergence.gaussian_entropy(torch.tensor(0.5).double())), truth, rel_tol=1e-8)
    assert not math.isclose(math.log(2 * math.pi * math.e * 0.25), truth, rel_tol=0.1)


def test_kl_by_quadrature() -> None:
    q, p = Normal(0.4, 0.6), Normal(-0.2, 1.3)

    def integrand(x: float) -> float:
        point = torch.tensor(x, dtype=torch.float64)
        return float(q.log_prob(point).exp() * (q.log_prob(point) - p.log_prob(point)))

    kl = divergence.gaussian_kl(torch.tensor(0.4).double(), torch.tensor(0.6).double(), -0.2, 1.3)
    assert math.isclose(float(kl), integrate.quad(integrand, -8, 8)[0], rel_tol=1e-6)
    assert divergence.gaussian_kl(torch.tensor(-0.2), torch.tensor(1.3), -0.2, 1.3).abs() < 1e-6
