import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks import MaxoutMLP
from lightning_vi.networks.maxout import Maxout


def test_a_unit_is_the_greatest_of_its_linear_functions() -> None:
    layer, x = Maxout(3, 4, pieces=5), torch.randn(6, 3)
    weights, biases = layer.linear.weight.tolist(), layer.linear.bias.tolist()
    found = layer(x)
    assert found.shape == (6, 4)
    for b, row in enumerate(x.tolist()):
        lines = [
            sum(w * v for w, v in zip(each, row, strict=True)) + c for each, c in zip(weights, biases, strict=True)
        ]
        for unit in range(4):
            assert found[b, unit].item() == pytest.approx(max(lines[5 * unit : 5 * unit + 5]), abs=1e-5)


def test_two_pieces_make_an_absolute_value() -> None:
    layer, x = Maxout(1, 1, pieces=2), torch.randn(9, 1)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        layer.linear.bias.zero_()
    assert torch.equal(layer(x), x.abs())


def test_the_network_composes_its_layers_and_drops_out_only_in_training() -> None:
    net, x = MaxoutMLP((2, 3), 2, [7, 5], pieces=3), torch.randn(8, 2, 3)
    net.eval()
    h = x.flatten(1)
    for name in ("maxout1", "maxout2"):
        h = (h @ net.get_parameter(f"{name}.linear.weight").T).view(8, -1, 3).max(dim=-1).values
    torch.testing.assert_close(net(x), h @ net.get_parameter("output.weight").T)
    net.train()
    assert not torch.equal(net(x), net(x))


def test_by_default_it_is_goodfellows_discriminator() -> None:
    net = MaxoutMLP((1, 28, 28), 1)
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == (784 + 1) * 240 * 5 + (240 + 1) * 240 * 5 + (240 + 1) == 1_231_441
    rates = {name: layer.p for name, layer in net.named_children() if isinstance(layer, nn.Dropout)}
    assert rates == {"input_dropout": 0.2, "dropout1": 0.5, "dropout2": 0.5}


def test_weights_start_he_normal_with_gain_1_and_biases_at_zero() -> None:
    for name, parameter in MaxoutMLP((784,), 100).named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        else:
            second_moment = parameter.double().square().mean() * parameter.shape[1]
            assert abs(second_moment.item() - 1) < 5 * (2 / parameter.numel()) ** 0.5


def test_every_parameter_receives_a_gradient_and_copies_compute_the_same() -> None:
    net, x = MaxoutMLP((1, 2, 2), 3, [8, 8], pieces=3), torch.randn(256, 1, 2, 2)
    net(x).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    net.eval()
    loaded = MaxoutMLP((1, 2, 2), 3, [8, 8], pieces=3).eval()
    loaded.load_state_dict(net.state_dict())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded):
        assert torch.equal(twin(x), net(x))
        assert repr(twin) == repr(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 1), r"input_shape \(=\(\)\) must be positive"),
        (((0, 4), 1), r"input_shape \(=\(0, 4\)\) must be positive"),
        (((4,), 0), r"output_size \(=\(0,\)\) must be positive"),
        (((4,), 1, ()), r"hidden \(=\(\)\) must be positive"),
        (((4,), 1, (3, 0)), r"hidden \(=\(3, 0\)\) must be positive"),
        (((4,), 1, (3,), 0), r"pieces \(=\(0,\)\) must be positive"),
        (((4,), 1, (3,), 2, 1.0), r"input_dropout \(=1.0\) must lie in \[0, 1\)"),
        (((4,), 1, (3,), 2, 0.0, -0.5), r"dropout \(=-0.5\) must lie in \[0, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"MaxoutMLP: {message}"):
        MaxoutMLP(*arguments)
