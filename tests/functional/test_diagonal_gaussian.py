import pytest
import torch
from scipy import integrate
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from lightning_vi.functional import diagonal_gaussian

MEAN = torch.tensor([-3.0, 0.0, 0.7, 20.0], dtype=torch.float64)
LOG_VARIANCE = torch.tensor([-12.0, 0.0, 1.3, 4.0], dtype=torch.float64)
VALUE = torch.tensor([-3.001, 2.0, 0.7, -5.0], dtype=torch.float64)
Q = Normal(MEAN, (0.5 * LOG_VARIANCE).exp())
STANDARD = Normal(torch.zeros_like(MEAN), 1.0)


def test_densities_and_kl_are_those_of_torch_distributions() -> None:
    torch.testing.assert_close(diagonal_gaussian.log_prob(VALUE, MEAN, LOG_VARIANCE), Q.log_prob(VALUE))
    torch.testing.assert_close(diagonal_gaussian.standard_log_prob(VALUE), STANDARD.log_prob(VALUE))
    torch.testing.assert_close(diagonal_gaussian.kl_to_standard(MEAN, LOG_VARIANCE), kl_divergence(Q, STANDARD))


def test_the_density_integrates_to_one_and_the_kl_is_an_integral() -> None:
    mean, log_variance = torch.tensor(0.4).double(), torch.tensor(-0.8).double()

    def log_q(h: float) -> Tensor:
        return diagonal_gaussian.log_prob(torch.tensor(h).double(), mean, log_variance)

    def difference(h: float) -> float:
        log_p = diagonal_gaussian.standard_log_prob(torch.tensor(h).double())
        return float(log_q(h).exp() * (log_q(h) - log_p))

    assert integrate.quad(lambda h: float(log_q(h).exp()), -8, 8)[0] == pytest.approx(1.0, rel=1e-8)
    kl = float(diagonal_gaussian.kl_to_standard(mean, log_variance))
    assert integrate.quad(difference, -8, 8)[0] == pytest.approx(kl, rel=1e-6)


def test_the_kl_vanishes_at_the_standard_normal_alone() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    assert not diagonal_gaussian.kl_to_standard(zero, zero).any()
    for mean, log_variance in ((zero + 1e-3, zero), (zero, zero + 1e-3), (zero, zero - 1e-3)):
        assert (diagonal_gaussian.kl_to_standard(mean, log_variance) > 0).all()


def test_a_draw_has_the_moments_and_the_gradients_of_its_parameters() -> None:
    mean, log_variance = MEAN.clone().requires_grad_(), LOG_VARIANCE.clone().requires_grad_()
    noise = torch.randn(5, len(MEAN), dtype=torch.float64)
    drawn = diagonal_gaussian.draw(mean, log_variance, noise)
    torch.testing.assert_close((drawn - MEAN) / Q.stddev, noise, rtol=1e-9, atol=1e-9)
    drawn[0].sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(MEAN))
    torch.testing.assert_close(log_variance.grad, 0.5 * Q.stddev * noise[0])  # sigma = exp(eta / 2)


def test_shapes_broadcast_over_draws() -> None:
    h = torch.randn(7, 5, 4, dtype=torch.float64)
    assert torch.equal(
        diagonal_gaussian.log_prob(h, MEAN, LOG_VARIANCE)[3, 2], diagonal_gaussian.log_prob(h[3, 2], MEAN, LOG_VARIANCE)
    )
    assert diagonal_gaussian.draw(MEAN.expand(5, 4), LOG_VARIANCE.expand(5, 4), h).shape == h.shape
