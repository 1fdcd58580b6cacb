import copy
import pickle

import pytest
import torch

from lightning_vi.errors import UserError
from lightning_vi.networks import LeNet


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 32, 32), (2, 9, 4)])
def test_images_of_any_size_and_every_parameter_receives_a_gradient(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    net = LeNet(shape, 10)
    outputs = net(torch.randn(16, *shape))
    assert outputs.shape == (16, 10)
    outputs.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_number_of_weights() -> None:
    conv = (25 * 1 + 1) * 6 + (25 * 6 + 1) * 16
    full = (16 * 7 * 7 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10
    assert sum(parameter.numel() for parameter in LeNet((1, 28, 28), 10).parameters()) == conv + full


def test_outputs_start_at_the_scale_of_the_inputs() -> None:
    torch.manual_seed(0)
    outputs = LeNet((1, 28, 28), 1000)(torch.randn(100, 1, 28, 28))
    assert 0.3 < outputs.square().mean() < 10


def test_copies_pickles_and_state_dicts_compute_the_same() -> None:
    net, x = LeNet((1, 8, 8), 10), torch.randn(2, 1, 8, 8)
    loaded = LeNet((1, 8, 8), 10)
    loaded.load_state_dict(net.state_dict())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded):
        assert torch.equal(twin(x), net(x))
        assert repr(twin) == repr(net)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (0, 8, 8), (1, 3, 8), (1, 8, 3)])
def test_inputs_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"LeNet: input_shape \(=\(.*\)\) must be \(channels, height, width\)"):
        LeNet(shape, 10)


def test_output_size_must_be_positive() -> None:
    with pytest.raises(UserError, match=r"LeNet: output_size \(=0\)"):
        LeNet((1, 8, 8), 0)
