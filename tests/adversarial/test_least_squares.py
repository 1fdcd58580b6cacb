import pytest
import torch

from lightning_vi.adversarial import LeastSquares


def test_losses_and_gradients_are_equation_9_with_targets_1_and_0() -> None:
    real, fake = (torch.randn(5, 1, dtype=torch.float64).requires_grad_() for _ in range(2))
    loss = LeastSquares()
    discriminator, generator = loss.discriminator(real, fake), loss.generator(fake)
    a, b = real.flatten().tolist(), fake.flatten().tolist()
    assert discriminator.item() == pytest.approx(sum((each - 1) ** 2 for each in a) / 10 + sum(f**2 for f in b) / 10)
    assert generator.item() == pytest.approx(sum((each - 1) ** 2 for each in b) / 10)
    gradients = torch.autograd.grad(discriminator, [real, fake])
    torch.testing.assert_close(gradients, ((real.detach() - 1) / 5, fake.detach() / 5))
    torch.testing.assert_close(torch.autograd.grad(generator, fake)[0], (fake.detach() - 1) / 5)
    assert loss.judgement(real) is real


def test_known_values() -> None:
    loss, zeros, ones = LeastSquares(), torch.zeros(4, 1), torch.ones(4, 1)
    assert loss.discriminator(zeros, zeros) == loss.generator(zeros) == 0.5
    assert loss.discriminator(ones, zeros) == loss.generator(ones) == 0.0


@pytest.mark.parametrize("size", [100.0, -100.0, 1e4, -1e4])
def test_large_outputs_have_finite_losses_and_gradients(size: float) -> None:
    outputs = torch.full((3, 1), size, requires_grad=True)
    loss = LeastSquares()
    for value in (loss.discriminator(outputs, outputs), loss.generator(outputs)):
        assert value.isfinite()
        assert torch.autograd.grad(value, outputs)[0].isfinite().all()


def test_the_best_discriminator_is_the_probability_of_data() -> None:
    real, fake = torch.tensor([4, 3, 2, 1]), torch.tensor([1, 1, 3, 5])
    best = (real / (real + fake)).requires_grad_()
    played = LeastSquares().discriminator(*(best.repeat_interleave(counts)[:, None] for counts in (real, fake)))
    assert torch.autograd.grad(played, best)[0].abs().max() < 1e-6


def test_repr() -> None:
    assert repr(LeastSquares()) == "LeastSquares()"
