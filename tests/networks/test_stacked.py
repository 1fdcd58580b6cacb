import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks import MLP, Network, StackedNetworks

NETS: dict[str, Network] = {
    "mlp": partial(MLP, hidden=[7, 5]),
    "normalised": partial(MLP, hidden=[7], normalization=nn.BatchNorm1d),
    "tied": lambda shape, size: nn.Sequential(layer := nn.Linear(4, 4), nn.ReLU(), layer),
}


def networks(name: str, members: int = 3) -> list[nn.Module]:
    torch.manual_seed(1)
    return [NETS[name]((4,), 4) for _ in range(members)]


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "loop"])
@pytest.mark.parametrize("own", [True, False], ids=["own inputs", "shared inputs"])
@pytest.mark.parametrize("name", list(NETS))
def test_outputs_gradients_and_buffers_are_those_of_the_networks(name: str, own: bool, batched: bool) -> None:
    each = networks(name)
    stacked = StackedNetworks(each, input_dims=1)
    stacked.batched = batched
    inputs = torch.randn(3, 6, 4) if own else torch.randn(6, 4)
    truth = torch.stack([net(inputs[i] if own else inputs) for i, net in enumerate(each)])
    outputs = stacked(inputs)
    torch.testing.assert_close(outputs, truth)
    outputs.sin().sum().backward()
    truth.sin().sum().backward()
    for i, net in enumerate(each):
        for parameter_name, parameter in net.named_parameters():
            gradient = stacked.get_parameter(parameter_name.replace(".", "/")).grad
            assert gradient is not None
            torch.testing.assert_close(gradient[i], parameter.grad)
        for (_, ours), (_, theirs) in zip(
            stacked.member(i).state_dict().items(), net.state_dict().items(), strict=True
        ):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "loop"])
def test_masks_are_each_networks_own_and_only_in_training(batched: bool) -> None:
    (net,) = [MLP((4,), 2, hidden=[64], dropout=0.5)]
    stacked = StackedNetworks([net, copy.deepcopy(net)], input_dims=1)
    stacked.batched = batched
    inputs = torch.randn(5, 4)
    first, second = stacked(inputs)
    assert not torch.equal(first, second)
    first, second = stacked.eval()(inputs)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first, net.eval()(inputs))


def test_small_networks_run_as_one_and_large_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise AssertionError("as one")

    monkeypatch.setattr("lightning_vi.functional.side_by_side.vmap", refused)
    StackedNetworks([MLP((784,), 10, [400]) for _ in range(2)], 1)(torch.zeros(1, 784))
    with pytest.warns(UserWarning, match="as one"):
        StackedNetworks(networks("mlp"), 1)(torch.zeros(1, 4))


def test_frozen_parameters_stay_frozen() -> None:
    nets = networks("mlp")
    for net in nets:
        net.get_parameter("linear1.weight").requires_grad_(False)
    stacked = StackedNetworks(nets, 1)
    assert {name for name, p in stacked.named_parameters() if not p.requires_grad} == {"linear1/weight"}


def test_copies_are_whole() -> None:
    stacked = StackedNetworks(networks("mlp"), 1)
    inputs = torch.randn(5, 4)
    for copied in (copy.deepcopy(stacked), pickle.loads(pickle.dumps(stacked))):
        torch.testing.assert_close(copied(inputs), stacked(inputs), rtol=0, atol=0)
    assert stacked.weights == sum(p.numel() for p in networks("mlp")[0].parameters())


class Shifted(nn.Linear):
    """Adds a constant that it does not save."""

    def __init__(self, shift: float) -> None:
        super().__init__(4, 2)
        self.register_buffer("shift", torch.tensor(shift), persistent=False)
        self.register_buffer("saved", torch.tensor(shift))


def test_buffers_that_a_network_does_not_save_are_not_saved() -> None:
    stacked = StackedNetworks([Shifted(1.0), Shifted(2.0)], 1)
    assert set(stacked.state_dict()) == {"weight", "bias", "saved"}
    assert stacked.get_buffer("shift").tolist() == [1.0, 2.0]
    assert stacked.get_buffer("saved").tolist() == [1.0, 2.0]


def test_a_blank_network_has_the_layers_and_buffers() -> None:
    blank = StackedNetworks([Shifted(1.0), Shifted(2.0)], 1).blank()
    assert isinstance(blank, Shifted)
    assert {name: float(value) for name, value in blank.named_buffers()} == {"shift": 1.0, "saved": 1.0}
    assert not any(parameter.any() for parameter in blank.parameters())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (nn.Linear(4, 2), nn.Linear(4, 3)),
        (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), nn.Sequential(nn.Linear(4, 2), nn.Tanh())),
        (nn.Linear(4, 2), nn.Linear(4, 2).requires_grad_(False)),
    ],
    ids=["shapes", "layers", "frozen"],
)
def test_networks_of_two_architectures_are_refused(first: nn.Module, second: nn.Module) -> None:
    with pytest.raises(UserError, match="must be of one architecture"):
        StackedNetworks([first, second], 1)
