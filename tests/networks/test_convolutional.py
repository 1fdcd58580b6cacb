import copy
import math
import pickle
from functools import partial
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import HeteroscedasticGaussian
from lightning_vi.networks import ConvolutionalDecoder, ConvolutionalEncoder, Network

SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 16)]


def require_gradients(net: nn.Module) -> None:
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, partial(nn.LeakyReLU, 0.2)])
def test_an_encoder_of_images_and_every_parameter_receives_a_gradient(
    shape: tuple[int, int, int], activation: Any
) -> None:
    net = ConvolutionalEncoder(shape, 10, channels=(6, 8), activation=activation)
    outputs = net(torch.randn(16, *shape))
    assert outputs.shape == (16, 10)
    outputs.square().sum().backward()
    require_gradients(net)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_decoder_of_images_and_every_parameter_receives_a_gradient(shape: tuple[int, int, int], parts: int) -> None:
    size = parts * math.prod(shape)
    net = ConvolutionalDecoder((5,), size, image_size=shape[1:], channels=(8, 6))
    outputs = net(torch.randn(16, 5))
    assert outputs.shape == (16, size)
    outputs.square().sum().backward()
    require_gradients(net)


def test_outputs_are_flattened_by_channels_so_that_means_come_first() -> None:
    likelihood, channels = HeteroscedasticGaussian(), 3
    net = ConvolutionalDecoder((5,), likelihood.output_size(channels * 64), image_size=(8, 8))
    output = net.get_submodule("output")
    assert isinstance(output, nn.ConvTranspose2d)
    assert output.bias is not None
    with torch.no_grad():
        output.weight.zero_()
        output.bias.copy_(torch.tensor([0.1, 0.2, 0.3, -1.0, -2.0, -3.0]))
    distribution = likelihood(net(torch.randn(2, 5)))
    means, variances = (each.view(2, channels, 8, 8) for each in (distribution.mean, distribution.variance))
    for channel in range(channels):
        torch.testing.assert_close(means[:, channel], torch.full((2, 8, 8), 0.1 * (channel + 1)))
        torch.testing.assert_close(variances[:, channel].log(), torch.full((2, 8, 8), -1.0 - channel))


def test_rows_and_columns_keep_their_places() -> None:
    """A pixel of the image is made of the nearest cells of the smallest one, along both sides."""
    net = ConvolutionalDecoder((1,), 8 * 16, image_size=(8, 16), channels=(1,), activation=nn.Identity)
    linear = net.get_submodule("linear")
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.zero_()
        linear.weight.view(4, 8)[2, 5] = 1.0
    touched = net(torch.ones(1, 1)).view(8, 16).nonzero()
    assert touched.aminmax(dim=0).min.tolist() == [3, 9]
    assert touched.aminmax(dim=0).max.tolist() == [6, 12]


def test_number_of_weights() -> None:
    encoder, decoder = ConvolutionalEncoder((1, 28, 28), 10), ConvolutionalDecoder((10,), 784)
    convolutions = 16 * 1 * 32 + 16 * 32 * 64
    assert sum(each.numel() for each in encoder.parameters()) == convolutions + 96 + (49 * 64 + 1) * 10
    assert sum(each.numel() for each in decoder.parameters()) == convolutions + 33 + 49 * 64 * (10 + 1)


def test_layers_start_at_the_second_moment_of_the_inputs() -> None:
    """Inside the image, where all of a kernel's weights meet; with linear units it is kept from layer to layer."""
    decoder = ConvolutionalDecoder((100,), 300 * 16 * 16, (16, 16), channels=(300, 300), activation=nn.Identity)
    image = decoder(torch.randn(50, 100)).view(50, 300, 16, 16)
    assert image[..., 4:-4, 4:-4].square().mean().item() == pytest.approx(1.0, rel=0.15)
    encoder = ConvolutionalEncoder((3, 28, 28), 1000)
    assert 0.3 < encoder(torch.randn(100, 3, 28, 28)).square().mean() < 10
    for net in (decoder, encoder):
        assert not any(each.any() for name, each in net.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("gain", [1.0, 2**0.5])
def test_transposed_weights_start_he_normal(gain: float) -> None:
    activation = nn.ReLU if gain > 1 else nn.Identity
    net = ConvolutionalDecoder((5,), 40 * 64, image_size=(8, 8), channels=(50,), activation=activation)
    weights = net.get_parameter("output.weight").detach().double()
    second_moment = weights.square().mean() * 50 * 4 / gain**2
    assert abs(second_moment - 1) < 5 * (2 / weights.numel()) ** 0.5


@pytest.mark.parametrize(
    "make",
    [partial(ConvolutionalEncoder, (1, 8, 8), 3), partial(ConvolutionalDecoder, (1, 8, 8), 64, image_size=(8, 8))],
    ids=["encoder", "decoder"],
)
def test_copies_pickles_and_state_dicts_compute_the_same(make: Any) -> None:
    net, x, loaded = make(), torch.randn(2, 1, 8, 8), make()
    loaded.load_state_dict(net.state_dict())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded):
        assert torch.equal(twin(x), net(x))
        assert repr(twin) == repr(net)


def test_normalization_stands_in_front_of_activations_but_not_of_an_encoders_first_and_by_default_nowhere() -> None:
    made: list[tuple[Any, list[str], list[int]]] = [
        (partial(ConvolutionalEncoder, (1, 8, 8), 3, channels=(6, 5)), ["normalization2"], [5]),
        (partial(ConvolutionalDecoder, (3,), 64, (8, 8), (6, 5)), ["normalization1", "normalization2"], [6, 5]),
    ]
    for make, names, widths in made:
        children = dict(make(normalization=nn.BatchNorm2d).named_children())
        found = {name: each.num_features for name, each in children.items() if isinstance(each, nn.BatchNorm2d)}
        assert found == dict(zip(names, widths, strict=True))
        order = list(children)
        for name in names:
            assert order[order.index(name) + 1] == name.replace("normalization", "activation")
        assert list(dict(make().named_children())) == [name for name in order if name not in names]
    net = ConvolutionalDecoder((3,), 64, (8, 8), (6, 5), normalization=nn.BatchNorm2d)
    net(torch.randn(16, 3)).square().sum().backward()
    assert all(each.grad is not None for each in net.parameters())


def test_they_are_chosen_by_class_path() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--net", type=Network)
    init_args = {"image_size": [8, 8], "channels": [9, 7], "activation": "torch.nn.Tanh"}
    chosen = {"class_path": "lightning_vi.networks.ConvolutionalDecoder", "init_args": init_args}
    config = parser.parse_object({"net": chosen})
    net = parser.instantiate(parser.parse_string(parser.dump(config))).net((5,), 64)
    assert repr(net) == repr(ConvolutionalDecoder((5,), 64, (8, 8), (9, 7), nn.Tanh))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((784,), 3), r"input_shape \(=\(784,\)\) must be \(channels, height, width\). MLP takes other inputs"),
        (((0, 8, 8), 3), r"input_shape \(=\(0, 8, 8\)\) must be \(channels, height, width\)"),
        (((1, 8, 6), 3), r"input_shape \(=\(8, 6\)\) must have a height and a width that are multiples of 4"),
        (((1, 28, 28), 3, (4, 4, 4)), r"input_shape \(=\(28, 28\)\) .* multiples of 8, .* Give another number of chan"),
        (((1, 8, 8), 0), r"output_size \(=0\) must be positive"),
        (((1, 8, 8), 3, ()), r"channels \(=\(\)\) must be one positive number for each convolution"),
        (((1, 8, 8), 3, (4, 0)), r"channels \(=\(4, 0\)\) must be one positive number"),
    ],
)
def test_wrong_arguments_of_an_encoder_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"ConvolutionalEncoder: {message}"):
        ConvolutionalEncoder(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 784), r"input_shape \(=\(\)\) must be positive"),
        (((0,), 784), r"input_shape \(=\(0,\)\) must be positive"),
        (((5,), 64), r"output_size \(=64\) must be a multiple of the 784 pixels of image_size \(=\(28, 28\)\). Set im"),
        (((5,), 0), r"output_size \(=0\) must be positive"),
        (((5,), 81, (9, 9)), r"image_size \(=\(9, 9\)\) must have a height and a width that are multiples of 4"),
        (((5,), 64, (8, 8), (4, 4, 4, 4)), r"image_size \(=\(8, 8\)\) .* multiples of 16"),
        (((5,), 64, (64,)), r"image_size \(=\(64,\)\) must have a height and a width"),
        (((5,), 64, (0, 8)), r"image_size \(=\(0, 8\)\) must have a height and a width"),
        (((5,), 64, (8, 8), ()), r"channels \(=\(\)\) must be one positive number"),
    ],
)
def test_wrong_arguments_of_a_decoder_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"ConvolutionalDecoder: {message}"):
        ConvolutionalDecoder(*arguments)
