import copy
import pickle

import pytest
import torch

from lightning_vi.errors import UserError
from lightning_vi.mnist_features import DigitNetwork


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 9, 5)])
def test_images_of_any_size_and_every_parameter_receives_a_gradient(shape: tuple[int, int, int]) -> None:
    net = DigitNetwork(shape, 10, dropout=0.1)
    outputs = net(torch.randn(32, *shape))
    assert outputs.shape == (32, 10)
    outputs.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_outputs_are_linear_in_the_features_which_are_not_negative() -> None:
    net, images = DigitNetwork((1, 8, 8), 4, num_features=12).eval(), torch.randn(5, 1, 8, 8)
    features = net.features(images)
    assert features.shape == (5, net.num_features) == (5, 12)
    assert features.min() >= 0
    torch.testing.assert_close(net(images), features @ net.output.weight.T + net.output.bias)


def test_number_of_weights() -> None:
    convolutions = (25 + 1) * 16 + (25 * 16 + 1) * 32
    full = (32 * 7 * 7 + 1) * 128 + (128 + 1) * 10
    assert sum(each.numel() for each in DigitNetwork((1, 28, 28), 10).parameters()) == convolutions + full


def test_dropout_is_of_the_training_alone() -> None:
    net, images = DigitNetwork((1, 8, 8), 3, dropout=0.5), torch.randn(4, 1, 8, 8)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


def test_copies_pickles_and_state_dicts_compute_the_same() -> None:
    net, images = DigitNetwork((1, 8, 8), 10), torch.randn(2, 1, 8, 8)
    loaded = DigitNetwork((1, 8, 8), 10)
    loaded.load_state_dict(net.state_dict())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded):
        assert torch.equal(twin(images), net(images))
        assert repr(twin) == repr(net)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (0, 8, 8)])
def test_inputs_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"DigitNetwork: input_shape \(=\(.*\)\) must be \(channels, height, width\)"):
        DigitNetwork(shape, 10)


def test_sizes_and_probabilities_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match=r"output_size \(=\(0,\)\) must be positive"):
        DigitNetwork((1, 8, 8), 0)
    with pytest.raises(UserError, match=r"channels \(=\(\)\) must be positive"):
        DigitNetwork((1, 8, 8), 10, channels=())
    with pytest.raises(UserError, match=r"num_features \(=\(0,\)\) must be positive"):
        DigitNetwork((1, 8, 8), 10, num_features=0)
    with pytest.raises(UserError, match=r"dropout \(=1.0\) must lie in"):
        DigitNetwork((1, 8, 8), 10, dropout=1.0)
