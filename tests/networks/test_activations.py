import copy
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.networks import GaussianBump, Sign, Sinc, Sine

SMOOTH: list[tuple[nn.Module, Callable[[float], float]]] = [
    (Sine(), math.sin),
    (Sinc(), lambda z: math.sin(z) / z if z else 1.0),
    (GaussianBump(), lambda z: math.exp(-(z**2))),
]


@pytest.mark.parametrize(("activation", "formula"), SMOOTH, ids=lambda a: type(a).__name__)
def test_smooth_activations_are_their_formulas(activation: nn.Module, formula: Callable[[float], float]) -> None:
    z = torch.linspace(-7, 7, 141, dtype=torch.float64)
    truth = torch.tensor([formula(x.item()) for x in z], dtype=torch.float64)
    torch.testing.assert_close(activation(z), truth, rtol=1e-13, atol=1e-15)
    assert torch.autograd.gradcheck(activation, z.requires_grad_())
    assert torch.autograd.gradgradcheck(activation, z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sinc_and_its_gradient_are_accurate_at_and_near_zero(dtype: torch.dtype) -> None:
    magnitudes = torch.logspace(-12, 0, 200, dtype=torch.float64)
    z = torch.cat([torch.zeros(1, dtype=torch.float64), magnitudes, -magnitudes]).to(dtype).requires_grad_()
    value = Sinc()(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    x = z.detach().double()
    # The power series about 0, summed beyond double precision on |z| <= 1.
    value_truth = sum((-1) ** n * x ** (2 * n) / float(math.factorial(2 * n + 1)) for n in range(10))
    slope_truth = sum((-1) ** n * 2 * n * x ** (2 * n - 1) / float(math.factorial(2 * n + 1)) for n in range(1, 10))
    epsilon = torch.finfo(dtype).eps
    assert isinstance(value_truth, Tensor)
    assert isinstance(slope_truth, Tensor)
    assert (value.double() - value_truth).abs().max() < 4 * epsilon
    assert (slope.double() - slope_truth).abs().max() < 20 * epsilon
    assert slope[0] == 0


def test_sinc_is_not_normalised() -> None:
    z = torch.tensor([math.pi, 2 * math.pi], dtype=torch.float64)
    torch.testing.assert_close(Sinc()(z), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(Sinc()(z / 3), torch.sinc(z / (3 * math.pi)))


def test_sign_is_exact_and_passes_the_gradient_straight_through() -> None:
    z = torch.tensor([-3.0, -1.0, -0.1, 0.0, 1e-30, 0.7, 1.5], requires_grad=True)
    value = Sign()(z)
    torch.testing.assert_close(value, torch.sign(z.detach()), rtol=0, atol=0)
    (gradient,) = torch.autograd.grad(value @ torch.arange(1.0, 8.0), z)
    inside = z.detach().abs() < 1
    torch.testing.assert_close(gradient[inside], torch.arange(1.0, 8.0)[inside])
    assert gradient[[0, -1]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("activation", [Sign(), Sine(), Sinc(), GaussianBump()], ids=repr)
def test_activations_copy_pickle_and_vmap(activation: nn.Module) -> None:
    z = torch.linspace(-2, 2, 9).reshape(3, 3)
    for twin in (copy.deepcopy(activation), pickle.loads(pickle.dumps(activation)), torch.vmap(activation)):
        torch.testing.assert_close(twin(z), activation(z), rtol=0, atol=0)
