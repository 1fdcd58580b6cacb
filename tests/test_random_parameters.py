"""Networks that cannot run on drawn weights are refused with the remedy, before they give wrong numbers."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError


class Kept(nn.Module):
    """Uses its parameter by a list of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.used = [self.weight]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.used[0]


class Mixed(nn.Module):
    """A real parameter and one of another type."""

    def __init__(self, other: Tensor, requires_grad: bool = True) -> None:
        super().__init__()
        self.real = nn.Parameter(torch.ones(3))
        self.other = nn.Parameter(other, requires_grad)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.real + self.other.real


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old
        return nn.Sequential(torch.jit.trace(nn.Linear(3, 3), torch.ones(1, 3)), nn.Linear(3, 2))


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it moves to another package
        from torch.ao.quantization import quantize_dynamic

        net: nn.Module = quantize_dynamic(nn.Sequential(nn.Conv1d(1, 1, 1), nn.Linear(3, 2)), {nn.Linear})
        return net


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.nn.utils.weight_norm(nn.Linear(3, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(3)), r"'0.weight' has no shape yet. Run the network once"),
        (lambda: nn.Sequential(nn.DataParallel(nn.Linear(3, 3))), r"'0', a DataParallel, .* Give what it wraps"),
        (lambda: nn.DataParallel(nn.Linear(3, 3)), r"the network, a DataParallel, .* Give what it wraps"),
        (scripted, r"'0.weight' belongs to a ScriptModule, .* Give the network that it was made of"),
        (quantised, r"'1', a Linear, is quantised, .* Give the network in float32"),
        (old_weight_norm, r"Linear cannot be copied: .*; weight_norm .* in torch.nn.utils.parametrizations"),
        (lambda: nn.Embedding(5, 2, sparse=True), r"'weight' has sparse gradients, .* Set sparse=False"),
        (Kept, r"also keeps 'weight' elsewhere, in a list for instance, .* Keep parameters as attributes"),
        (lambda: Mixed(torch.ones(3, dtype=torch.complex64)), r"'other' \(torch.complex64\) must be of float32"),
        (lambda: nn.Linear(3, 2).bfloat16(), r"'weight' \(torch.bfloat16\) must be of float32 or .* net.float\(\)"),
        (lambda: nn.Linear(3, 2, device="meta"), r"'weight' is on the meta device, .* Give the network its weights"),
    ],
)
def test_a_network_that_cannot_run_on_drawn_weights(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BayesianModule(make())


def test_what_is_deterministic_may_be_of_any_kind() -> None:
    model = BayesianModule(scripted(), bayesian="1.*")
    assert model(torch.ones(1, 3), model.draw().weights).shape == (1, 2)
    model = BayesianModule(Mixed(torch.ones(3, dtype=torch.complex64)), bayesian="real")
    model(torch.ones(3), model.draw().weights).sum().backward()
    assert model.net.other.grad is not None
    counts = Mixed(torch.ones(3, dtype=torch.int64), requires_grad=False)
    assert list(BayesianModule(counts).mean()) == ["real"]
    model = BayesianModule(nn.Sequential(nn.Embedding(5, 2, sparse=True), nn.Linear(2, 1)), bayesian="1.*")
    model(torch.tensor([1, 4]), model.draw().weights).sum().backward()


def test_a_network_that_has_run_once_has_its_shapes() -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    net(torch.ones(1, 2))
    assert BayesianModule(net).mu.numel() == 9


def test_tied_weights_that_a_list_of_modules_shares_are_no_hidden_references() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert BayesianModule(nn.Sequential(first, second)).mu.numel() == 9 + 3 + 3
