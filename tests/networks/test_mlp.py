import copy
import functools
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.networks import MLP, DropConnect, GaussianBump, Sign, Sinc, Sine


@pytest.mark.parametrize(("units", "count"), [(400, 478_410), (800, 1_276_810), (1200, 2_395_210)])
def test_numbers_of_weights_are_those_of_the_table(units: int, count: int) -> None:
    net = MLP((1, 28, 28), 10, [units, units])
    found = sum(parameter.numel() for parameter in net.parameters())
    assert found == count == (784 + 1) * units + (units + 1) * units + (units + 1) * 10


@pytest.mark.parametrize(
    ("activation", "function"),
    [(nn.Tanh, torch.tanh), (nn.Sigmoid, torch.sigmoid), (nn.Identity, lambda z: z), (Sine, torch.sin)],
)
def test_forward_is_the_lectures_composition(activation: type[nn.Module], function: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    net, x = MLP((2, 3), 4, [7, 5, 6], activation).double(), torch.randn(8, 2, 3).double()
    nn.init.normal_(net.get_parameter("linear2.bias"))
    h = x.flatten(1)
    for name in ("linear1", "linear2", "linear3"):
        h = function(h @ net.get_parameter(f"{name}.weight").T + net.get_parameter(f"{name}.bias"))
    truth = h @ net.get_parameter("output.weight").T + net.get_parameter("output.bias")
    torch.testing.assert_close(net(x), truth)


def test_without_hidden_layers_it_is_linear() -> None:
    net, x = MLP((3,), 2, []), torch.randn(4, 3)
    assert torch.equal(net(x), nn.functional.linear(x, *net.parameters()))


@pytest.mark.parametrize(
    ("activation", "gain"), [(nn.ReLU, 2**0.5), (nn.Tanh, 5 / 3), (functools.partial(nn.LeakyReLU, 1.0), 1.0)]
)
def test_weights_start_he_normal_and_biases_at_zero(activation: Callable[[], nn.Module], gain: float) -> None:
    torch.manual_seed(0)
    net = MLP((1, 20, 20), 100, [300, 300], activation)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        else:
            second_moment = parameter.double().square().mean() * parameter.shape[1] / gain**2
            assert abs(second_moment.item() - 1) < 5 * (2 / parameter.numel()) ** 0.5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_dropout": 0.2, "dropout": 0.5},
        {"linear": DropConnect},
        *({"activation": kind} for kind in (nn.Identity, nn.Sigmoid, nn.Tanh, Sign, Sine, Sinc, GaussianBump)),
    ],
    ids=str,
)
def test_every_parameter_receives_a_gradient(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = MLP((1, 4, 4), 3, [16, 16], **options)
    net(torch.randn(64, 1, 4, 4)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_dropout_preserves_the_mean_of_inputs_and_hidden_units() -> None:
    torch.manual_seed(0)
    # Without biases and activations the output is linear in each mask, so its mean is that of evaluation.
    net = MLP((5,), 3, [6], nn.Identity, input_dropout=0.2, dropout=0.5).double()
    x, draws = torch.randn(1, 5).double(), 40_000
    with torch.no_grad():
        samples = net(x.expand(draws, 5))
        net.eval()
        z = (samples.mean(0) - net(x)[0]) / (samples.std(0) / draws**0.5)
    assert z.abs().max() < 5


def test_dropout_rates_are_those_asked_for_and_only_hidden_layers_drop_connections() -> None:
    net = MLP((5,), 3, [6, 6], input_dropout=0.2, dropout=0.5, linear=functools.partial(DropConnect, p=0.3))
    rates = {name: layer.p for name, layer in net.named_children() if isinstance(layer, nn.Dropout)}
    assert rates == {"input_dropout": 0.2, "dropout1": 0.5, "dropout2": 0.5}
    assert [name for name, layer in net.named_children() if isinstance(layer, DropConnect)] == [
        "linear1",
        "linear2",
    ]


def test_normalization_stands_in_front_of_the_activation_and_by_default_nowhere() -> None:
    net = MLP((1, 2, 2), 3, [6, 5], dropout=0.5, normalization=nn.BatchNorm1d)
    names = [f"{kind}{n}" for n in (1, 2) for kind in ("linear", "normalization", "activation", "dropout")]
    assert [name for name, _ in net.named_children()] == ["flatten", *names, "output"]
    widths = {name: each.num_features for name, each in net.named_children() if isinstance(each, nn.BatchNorm1d)}
    assert widths == {"normalization1": 6, "normalization2": 5}
    units: list[Tensor] = []
    net.get_submodule("activation1").register_forward_pre_hook(lambda layer, inputs: units.append(inputs[0]))
    net(3.0 * torch.randn(500, 1, 2, 2) + 7.0)
    torch.testing.assert_close(units[0].mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(units[0].var(dim=0, correction=0), torch.ones(6), atol=1e-2, rtol=0)
    assert not any("normalization" in name for name, _ in MLP((4,), 3, [6, 5]).named_children())


def test_a_state_dict_fits_with_and_without_dropout() -> None:
    x = torch.randn(2, 5)
    plain = MLP((5,), 3, [6, 6])
    dropping = MLP((5,), 3, [6, 6], input_dropout=0.2, dropout=0.5, linear=DropConnect).eval()
    dropping.load_state_dict(plain.state_dict())
    assert torch.equal(plain(x), dropping(x))


def test_copies_and_pickles_compute_the_same() -> None:
    net, x = MLP((5,), 3, [6], Sinc), torch.randn(2, 5)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x), net(x))
        assert repr(twin) == repr(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 3), r"input_shape \(=\(\)\) must have at least one dimension"),
        (((0, 4), 3), r"input_shape \(=\(0, 4\)\) must be positive"),
        (((4,), 0), r"output_size \(=\(0,\)\) must be positive"),
        (((4,), 3, [5, -1]), r"hidden \(=\(5, -1\)\) must be positive"),
        (((4,), 3, [5], nn.ReLU, 1.0), r"input_dropout \(=1.0\) must lie in \[0, 1\)"),
        (((4,), 3, [5], nn.ReLU, 0.0, -0.5), r"dropout \(=-0.5\) must lie in \[0, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"MLP: {message}"):
        MLP(*arguments)
