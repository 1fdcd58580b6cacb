"""Networks are chosen on the command line by class, the module supplies input shape and output size."""

from typing import Any

import pytest
import torch
from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from lightning_vi.networks import MLP, DropConnect, LeNet, Network, Sinc


def make(net: str | dict[str, Any]) -> nn.Module:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--net", type=Network)
    config = parser.parse_object({"net": net})
    # What was parsed must survive being saved and read again.
    config = parser.parse_string(parser.dump(config))
    module = parser.instantiate(config).net((1, 8, 8), 10)
    assert isinstance(module, nn.Module)
    return module


def test_mlp_with_widths_and_activation() -> None:
    init_args = {"hidden": [40, 30], "activation": {"class_path": "torch.nn.Tanh"}}
    net = make({"class_path": "lightning_vi.networks.MLP", "init_args": init_args})
    assert repr(net) == repr(MLP((1, 8, 8), 10, [40, 30], nn.Tanh))


def test_mlp_by_name_alone_has_the_defaults() -> None:
    assert repr(make("lightning_vi.networks.MLP")) == repr(MLP((1, 8, 8), 10, [400, 400], nn.ReLU))


def test_mlp_of_dropconnect_layers() -> None:
    linear = {"class_path": "lightning_vi.networks.DropConnect", "init_args": {"p": 0.3}}
    activation = {"class_path": "torch.nn.LeakyReLU", "init_args": {"negative_slope": 0.2}}
    net = make({"class_path": "lightning_vi.networks.MLP", "init_args": {"linear": linear, "activation": activation}})
    assert isinstance(layer := net.get_submodule("linear2"), DropConnect)
    assert layer.p == 0.3
    assert isinstance(unit := net.get_submodule("activation2"), nn.LeakyReLU)
    assert unit.negative_slope == 0.2


def test_our_activations_and_other_networks() -> None:
    net = make({"class_path": "lightning_vi.networks.MLP", "init_args": {"activation": "lightning_vi.networks.Sinc"}})
    assert isinstance(net.get_submodule("activation1"), Sinc)
    assert isinstance(make("lightning_vi.networks.LeNet"), LeNet)


def test_a_function_is_a_network_too() -> None:
    def network(input_shape: tuple[int, ...], output_size: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), output_size))

    plain: Network = network
    assert plain((1, 8, 8), 10)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_an_unknown_argument_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="hiden"):
        make({"class_path": "lightning_vi.networks.MLP", "init_args": {"hiden": [40]}})
