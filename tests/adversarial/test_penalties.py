import copy
import math

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from lightning_vi.adversarial import R1, GradientPenalty, Penalty
from lightning_vi.errors import UserError
from lightning_vi.networks import MLP, SpectralNorm

BOTH = pytest.mark.parametrize("kind", [R1, GradientPenalty])


class Quadratic(nn.Module):
    """f(x) = x'Ax / 2 + b'x, whose slope is (A + A')x / 2 + b."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[2.0, 1.0], [-1.0, 3.0]]))
        self.b = nn.Parameter(torch.tensor([0.5, -1.0]))

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.flatten(start_dim=1)
        outputs: Tensor = ((rows @ self.a) * rows).sum(dim=-1, keepdim=True) / 2 + rows @ self.b[:, None]
        return outputs


def required(term: Tensor | None) -> Tensor:
    assert term is not None
    return term


def test_of_a_linear_discriminator() -> None:
    f, real, fake = nn.Linear(6, 1), torch.randn(5, 6), torch.randn(5, 6)
    w = f.weight.detach()
    norm = w.norm()
    for penalty, value, slope in [
        (R1(weight=3.0, every=1), 1.5 * norm**2, 3.0 * w),
        (GradientPenalty(weight=3.0), 3.0 * (norm - 1) ** 2, 6.0 * (norm - 1) * w / norm),
    ]:
        term = required(penalty(f, real, fake, 0))
        torch.testing.assert_close(term, value)
        torch.testing.assert_close(torch.autograd.grad(term, f.weight)[0], slope)


def test_r1_of_a_quadratic_discriminator_by_hand() -> None:
    """At (1, 2) the slope is (2 + 0.5, 6 - 1), of square 31.25; at (0, -1) it is (0.5, -4), of square 16.25."""
    real = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    term = required(R1(weight=2.0, every=1)(Quadratic(), real, torch.full((2, 2), math.nan), 0))
    assert term.item() == 31.25 / 2 + 16.25 / 2


def test_gradient_penalty_of_a_quadratic_discriminator_by_hand() -> None:
    """Slopes on the line from (0, 0) to (4, 0) are (2 s + 0.5, -1), s = 4 t, with t uniform on [0, 1]."""
    count = 40_000
    real, fake = torch.tensor([[4.0, 0.0]]).expand(count, 2), torch.zeros(count, 2)
    term = required(GradientPenalty(weight=1.0)(Quadratic(), real, fake, 0)).item()
    t = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    terms = (torch.hypot(8 * t + 0.5, torch.ones_like(t)) - 1) ** 2
    assert abs(term - terms.mean().item()) < 5 * terms.std().item() / count**0.5


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_slopes_are_taken_uniformly_on_the_lines_between_pairs(shape: tuple[int, ...]) -> None:
    seen: list[Tensor] = []
    f = MLP(shape, 1, [4])
    f.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    real, fake = torch.randn(2000, *shape) + 5.0, torch.randn(2000, *shape) - 5.0
    GradientPenalty()(f, real, fake, 0)
    shares = ((seen[0] - fake) / (real - fake)).flatten(start_dim=1)
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares), atol=1e-5, rtol=0)
    assert kstest(shares[:, 0].numpy(), "uniform").pvalue > 1e-3


@BOTH
def test_the_mean_over_a_period_is_the_plain_penalty(kind: type[Penalty]) -> None:
    f, x = MLP((3,), 1, [8], nn.Tanh), torch.randn(5, 3)
    terms = [kind(2.0, every=4)(f, x, x, step) for step in range(12)]
    assert [term is not None for term in terms] == 3 * [True, False, False, False]
    plain = required(kind(2.0, every=1)(f, x, x, 7))
    torch.testing.assert_close(torch.stack([term for term in terms if term is not None]).sum() / 12, plain)


@BOTH
def test_second_derivatives_reach_every_weight(kind: type[Penalty]) -> None:
    """Against central differences in float64 of slopes that torch.func takes; data equal what is generated."""
    f, x = MLP((3,), 1, [8, 8], nn.Tanh), torch.randn(5, 3)
    twin, h = copy.deepcopy(f).double(), 1e-5

    def value() -> float:
        slopes = torch.func.vmap(torch.func.grad(lambda row: twin(row[None]).sum()))(x.double()).norm(dim=-1)
        each = slopes.square() / 2 if kind is R1 else (slopes - 1).square()
        return 2.0 * float(each.mean().detach())

    term = required(kind(2.0, every=1)(f, x, x, 0))
    assert term.item() == pytest.approx(value(), rel=1e-5)
    term.backward()
    for name, parameter in f.named_parameters():
        if name == "output.bias":
            assert parameter.grad is None
            continue
        assert parameter.grad is not None
        entries, found = twin.get_parameter(name).data.view(-1), []
        for place in range(len(entries)):
            ends = []
            for step in (h, -2 * h):
                entries[place] += step
                ends.append(value())
            entries[place] += h
            found.append((ends[0] - ends[1]) / (2 * h))
        torch.testing.assert_close(parameter.grad.flatten(), torch.tensor(found), atol=1e-5, rtol=1e-4)


@BOTH
def test_data_and_generated_examples_receive_no_gradient(kind: type[Penalty]) -> None:
    real, fake = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3)
    required(kind(1.0)(MLP((3,), 1, [8], nn.Tanh), real, fake, 0)).backward()
    assert real.grad is None


@BOTH
def test_a_discriminator_without_a_slope_has_finite_gradients(kind: type[Penalty]) -> None:
    f, x = Quadratic(), torch.zeros(3, 2)
    nn.init.zeros_(f.b)
    term = required(kind(1.0, every=1)(f, x, x, 0))
    assert term == (0.0 if kind is R1 else 1.0)
    term.backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in f.parameters())


@BOTH
def test_a_spectrally_normalised_discriminator_can_be_penalised(kind: type[Penalty]) -> None:
    """Its power iteration moves on at every pass, that of the penalty among them."""
    f, x = SpectralNorm((3,), 1, lambda shape, size: MLP(shape, size, [8], nn.Tanh)), torch.randn(5, 3)
    (f(x).sum() + required(kind(1.0)(f, x, -x, 0))).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in f.parameters())


@BOTH
def test_autocast_changes_neither_value_nor_gradient(kind: type[Penalty]) -> None:
    f, real, fake = MLP((3,), 1, [8], nn.Tanh), torch.randn(5, 3), torch.randn(5, 3)
    results: list[tuple[Tensor, ...]] = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            assert f(real).dtype == (torch.bfloat16 if enabled else torch.float32)
            term = required(kind(1.0)(f, real, fake, 0))
        results.append((term, *torch.autograd.grad(term, [f.get_parameter("linear1.weight")])))
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=0)


@BOTH
def test_repr_and_wrong_arguments(kind: type[Penalty]) -> None:
    name = kind.__name__
    assert repr(kind(0.5, every=2)) == f"{name}(weight=0.5, every=2)"
    for weight in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UserError, match=rf"{name}: weight \(={weight}\) must be positive and finite"):
            kind(weight)
    for every in (0, -4):
        with pytest.raises(UserError, match=rf"{name}: every \(={every}\) must be at least 1"):
            kind(1.0, every)
