import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from lightning_vi.adversarial import AdversarialLoss, Minimax, NonSaturating

BOTH = pytest.mark.parametrize("loss", [Minimax(), NonSaturating()], ids=repr)


@BOTH
def test_losses_and_gradients_are_those_of_the_logarithms_of_probabilities(loss: AdversarialLoss) -> None:
    real, fake = (3.0 * torch.randn(50, 1, dtype=torch.float64).requires_grad_() for _ in range(2))
    d_real, d_fake = 1.0 / (1.0 + (-real).exp()), 1.0 / (1.0 + (-fake).exp())
    torch.testing.assert_close(loss.judgement(real), d_real)
    game = -d_real.log().mean() - (1.0 - d_fake).log().mean()
    truth = -d_fake.log().mean() if isinstance(loss, NonSaturating) else (1.0 - d_fake).log().mean()
    for ours, theirs, inputs in [
        (loss.discriminator(real, fake), game, [real, fake]),
        (loss.generator(fake), truth, [fake]),
    ]:
        torch.testing.assert_close(ours, theirs)
        gradients = (torch.autograd.grad(each, inputs, retain_graph=True) for each in (ours, theirs))
        torch.testing.assert_close(*gradients)


@BOTH
@pytest.mark.parametrize("size", [100.0, -100.0, 1e4, -1e4])
def test_confident_discriminators_have_finite_losses_and_gradients(loss: AdversarialLoss, size: float) -> None:
    real, fake = (torch.full((3, 1), size, requires_grad=True) for _ in range(2))
    sign = -1.0 if isinstance(loss, NonSaturating) else 1.0
    values = loss.discriminator(real, fake), loss.generator(fake)
    truths = np.logaddexp(0.0, -size) + np.logaddexp(0.0, size), -sign * np.logaddexp(0.0, sign * size)
    for value, truth in zip(values, truths, strict=True):
        assert value.item() == pytest.approx(truth)
        for gradient in torch.autograd.grad(value, [real, fake], allow_unused=True):
            assert gradient is None or gradient.isfinite().all()


def test_values_of_a_discriminator_that_knows_nothing() -> None:
    nothing = torch.zeros(4, 1)
    for loss, generator in [(Minimax(), -math.log(2)), (NonSaturating(), math.log(2))]:
        assert loss.discriminator(nothing, nothing).item() == pytest.approx(2 * math.log(2))
        assert loss.generator(nothing).item() == pytest.approx(generator)
        assert loss.judgement(nothing).eq(0.5).all()


def test_where_the_discriminator_wins_only_the_minimax_generator_stands_still() -> None:
    slopes = []
    for loss in (Minimax(), NonSaturating()):
        fake = torch.tensor([[-30.0]], requires_grad=True)
        slopes.append(torch.autograd.grad(loss.generator(fake), fake)[0].item())
    assert slopes == pytest.approx([-math.exp(-30), -1.0], abs=0.0, rel=1e-5)


@BOTH
def test_the_best_discriminator_has_the_jensen_shannon_divergence(loss: AdversarialLoss) -> None:
    """A table f of 4 possible x, and minibatches in which they appear as often as in p_data and p_G."""
    real, fake = torch.tensor([4, 3, 2, 1]), torch.tensor([1, 1, 3, 5])
    p, q = real.double() / 10, fake.double() / 10

    def played(table: torch.Tensor) -> torch.Tensor:
        return loss.discriminator(*(table.repeat_interleave(counts)[:, None] for counts in (real, fake)))

    best = (p / q).log().requires_grad_()
    torch.testing.assert_close(loss.judgement(best), p / (p + q))
    assert -played(best).item() == pytest.approx(2 * jensenshannon(p, q) ** 2 - 2 * math.log(2))
    assert torch.autograd.grad(played(best), best)[0].abs().max() < 1e-12
    for _ in range(20):
        assert played(best + 0.1 * torch.randn(4)) > played(best)


@BOTH
def test_repr(loss: AdversarialLoss) -> None:
    assert repr(loss) == f"{type(loss).__name__}()"
