import pytest
import torch
from scipy.stats import wasserstein_distance

from lightning_vi.adversarial import Wasserstein


def test_losses_and_gradients_are_differences_of_means() -> None:
    real, fake = (torch.randn(count, 1, dtype=torch.float64).requires_grad_() for count in (5, 4))
    loss = Wasserstein()
    discriminator, generator = loss.discriminator(real, fake), loss.generator(fake)
    assert discriminator.item() == pytest.approx(fake.sum().item() / 4 - real.sum().item() / 5)
    assert generator.item() == pytest.approx(-fake.sum().item() / 4)
    gradients = torch.autograd.grad(discriminator, [real, fake])
    torch.testing.assert_close(gradients, (torch.full_like(real, -1 / 5), torch.full_like(fake, 1 / 4)))
    torch.testing.assert_close(torch.autograd.grad(generator, fake)[0], torch.full_like(fake, -1 / 4))
    assert loss.judgement(real) is real


def test_the_best_discriminator_of_slope_1_has_the_distance() -> None:
    """Where all of the data lies above all that is generated, f(x) = x is the best."""
    real, fake = torch.rand(30, 1) + 2.0, torch.randn(30, 1).clamp(max=1.0)
    distance = wasserstein_distance(real.flatten().numpy(), fake.flatten().numpy())
    assert -Wasserstein().discriminator(real, fake).item() == pytest.approx(distance, rel=1e-5)


@pytest.mark.parametrize("size", [0.0, 100.0, -100.0, 1e4, -1e4])
def test_equal_outputs_are_worth_nothing_and_the_generator_wants_large_ones(size: float) -> None:
    outputs = torch.full((4, 1), size)
    assert Wasserstein().discriminator(outputs, outputs) == 0.0
    assert Wasserstein().generator(outputs) == -size


def test_repr() -> None:
    assert repr(Wasserstein()) == "Wasserstein()"
