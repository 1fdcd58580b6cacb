import math

import pytest
import torch
from torch import Tensor

from lightning_vi.annealing import Constant, Linear
from lightning_vi.bounds import ELBO, IWAE, Bound, DReG
from lightning_vi.errors import UserError
from lightning_vi.latent_model import LatentModel
from tests.ppca import data, exact_log_prob, ppca, spoil, two_layers


def gradients(model: LatentModel, objective: Bound, x: Tensor) -> Tensor:
    """Gradient of one draw of the objective, all parameters in a row."""
    model.zero_grad()
    draws = model.draw(model.encode(x), x.flatten(start_dim=1), objective.samples, objective.path)
    objective.loss(draws, epochs=0.0).backward()
    return torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])


def mean_gradient(model: LatentModel, objective: Bound, repeats: int) -> tuple[Tensor, Tensor]:
    x = data(3)
    drawn = torch.stack([gradients(model, objective, x) for _ in range(repeats)])
    return drawn.mean(dim=0), drawn.std(dim=0) / math.sqrt(repeats)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("k", [1, 4])
def test_dreg_and_iwae_have_the_same_expected_gradient(layers: int, k: int) -> None:
    """A z-test of each coordinate; the two estimators share no draw."""
    model = spoil(ppca()) if layers == 1 else two_layers()
    first, first_error = mean_gradient(model, IWAE(k), 3000)
    second, second_error = mean_gradient(model, DReG(k), 3000)
    z = (first - second) / torch.hypot(first_error, second_error).clamp(min=1e-12)
    assert z.abs().max() < 5.0
    assert (first / first_error.clamp(min=1e-12)).abs().max() > 20.0  # there is something to compare


def test_dreg_has_less_noise_in_the_encoder() -> None:
    model = spoil(ppca())
    encoder = sum(each.numel() for each in model.encoders.parameters())
    _, iwae = mean_gradient(model, IWAE(20), 500)
    _, dreg = mean_gradient(model, DReG(20), 500)
    assert dreg[:encoder].mean() < 0.5 * iwae[:encoder].mean()


@pytest.mark.parametrize("kl", [True, False])
def test_elbo_and_iwae_of_one_draw_have_the_same_expected_gradient(kl: bool) -> None:
    model = spoil(ppca())
    first, first_error = mean_gradient(model, ELBO(analytic_kl=kl), 3000)
    second, second_error = mean_gradient(model, IWAE(1), 3000)
    z = (first - second) / torch.hypot(first_error, second_error).clamp(min=1e-12)
    assert z.abs().max() < 5.0


@pytest.mark.parametrize(
    "objective", [ELBO(3, analytic_kl=False), IWAE(3), DReG(3)], ids=lambda each: type(each).__name__
)
def test_at_the_exact_posterior_all_bounds_are_the_marginal_likelihood(objective: Bound) -> None:
    model, x = ppca(), data()
    loss = objective.loss(model.draw(model.encode(x), x, 3, objective.path), epochs=0.0)
    torch.testing.assert_close(loss.detach(), -exact_log_prob(model, x).mean())


def test_dreg_gives_the_value_of_iwae() -> None:
    model, x = spoil(ppca()), data()
    torch.manual_seed(3)
    draws = model.draw(model.encode(x), x, 4)
    torch.manual_seed(3)
    torch.testing.assert_close(
        DReG(4).loss(model.draw(model.encode(x), x, 4, path=True), 0.0), IWAE(4).loss(draws, 0.0)
    )
    with torch.no_grad():
        torch.testing.assert_close(DReG(4).loss(draws, 0.0), IWAE(4).loss(draws, 0.0))


def test_beta_weighs_the_kl() -> None:
    model, x = spoil(ppca()), data()
    draws = model.draw(model.encode(x), x, 2)
    reconstruction, kl = -draws.log_likelihood.mean(), draws.layers[0].kl.sum(dim=-1).mean()
    torch.testing.assert_close(ELBO(beta=Constant(0.0)).loss(draws, 0.0), reconstruction)
    torch.testing.assert_close(ELBO(beta=Constant(4.0)).loss(draws, 0.0), reconstruction + 4.0 * kl)
    annealed = ELBO(beta=Linear(epochs=10.0))
    torch.testing.assert_close(annealed.loss(draws, 2.5), reconstruction + 0.25 * kl)


def test_free_bits_leave_a_latent_variable_alone_below_them() -> None:
    model, x = spoil(ppca()), data()
    draws = model.draw(model.encode(x), x, 2)
    kl = draws.layers[0].kl.mean(dim=0)
    floor = float(kl.detach().mean())  # between the two
    loss = ELBO(free_bits=floor).loss(draws, 0.0)
    torch.testing.assert_close(loss, -draws.log_likelihood.mean() + kl.clamp(min=floor).sum())
    (gradient,) = torch.autograd.grad(loss, draws.layers[0].kl, allow_unused=True)
    pressed = gradient.abs().sum(dim=0) > 0
    assert pressed.tolist() == (kl > floor).tolist()


@pytest.mark.parametrize("objective", [ELBO, IWAE, DReG])
def test_a_bound_needs_draws(objective: type[Bound]) -> None:
    with pytest.raises(UserError, match=rf"{objective.__name__}: samples \(=0\) must be at least 1"):
        objective(samples=0)


@pytest.mark.parametrize("free_bits", [-0.1, math.nan, math.inf])
def test_free_bits_must_be_a_number(free_bits: float) -> None:
    with pytest.raises(UserError, match="free_bits"):
        ELBO(free_bits=free_bits)
