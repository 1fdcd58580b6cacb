import pytest
import torch
from torch import nn

from lightning_vi.networks import Sinc
from lightning_vi.networks.initialisation import gain, he_normal_


@pytest.mark.parametrize(
    ("activation", "value"),
    [
        (nn.ReLU(), 2**0.5),
        (nn.LeakyReLU(0.5), (2 / 1.25) ** 0.5),
        (nn.SELU(), 0.75),
        (nn.Tanh(), 5 / 3),
        (nn.Sigmoid(), 1.0),
        (nn.Identity(), 1.0),
        (Sinc(), 1.0),
    ],
    ids=repr,
)
def test_gains(activation: nn.Module, value: float) -> None:
    assert gain(activation) == pytest.approx(value)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(300, 200), nn.Conv2d(12, 200, 5), nn.ConvTranspose2d(75, 200, 4, 2)],
    ids=lambda each: each._get_name(),
)
def test_weights_are_normal_with_variance_gain_squared_over_inputs(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d,
) -> None:
    torch.manual_seed(0)
    he_normal_(layer, 2**0.5)
    weights = layer.weight.detach().double().flatten() * (300 / 2) ** 0.5
    count = weights.numel()
    # Mean, variance and fourth moment of N(0, 1) with their standard errors.
    assert abs(weights.mean()) < 5 * count**-0.5
    assert abs(weights.square().mean() - 1) < 5 * (2 / count) ** 0.5
    assert abs(weights.pow(4).mean() - 3) < 5 * (96 / count) ** 0.5
    assert layer.bias is not None
    assert not layer.bias.any()


def test_relu_layers_keep_the_second_moment() -> None:
    torch.manual_seed(0)
    x = torch.randn(2000, 400)
    for _ in range(6):
        layer = nn.Linear(400, 400)
        he_normal_(layer, gain(nn.ReLU()))
        x = layer(x).relu()
    assert x.square().mean().item() == pytest.approx(1.0, rel=0.25)
