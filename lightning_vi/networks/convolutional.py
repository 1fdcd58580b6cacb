"""Networks of images, for codes and GANs: strided convolutions down to a code, transposed ones back up to an image.

All kernels are 4 x 4 with stride 2 and padding 1. A convolution then halves an even height and width, a transposed one
doubles them; and the stride divides the kernel, so that every pixel is made of equally many inputs.

References:
    Dumoulin, Visin 2016, A Guide to Convolution Arithmetic for Deep Learning, section 4 (transposed convolutions).
    Radford, Metz, Chintala 2016, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
        Networks, section 3 (strides in place of pooling).
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks.initialisation import gain, he_normal_

KERNEL, STRIDE, PADDING = 4, 2, 1


class ConvolutionalEncoder(nn.Sequential):
    """Strided convolutions, each of which halves the image, and one fully connected layer.

    Layers are called `conv1`, `activation1`, `conv2`, ... and `output`. Weights start He-normal with the activation's
    gain, biases at zero.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_size: int,
        channels: Sequence[int] = (32, 64),
        activation: Callable[[], nn.Module] = nn.ReLU,
        normalization: Callable[[int], nn.Module] | None = None,
    ) -> None:
        """A network from images (B, C, H, W) to outputs (B, output_size).

        Args:
            input_shape: (C, H, W), channels, height and width.
            output_size: number of outputs.
            channels: number of feature maps of each convolution.
            activation: makes the activation behind a convolution.
            normalization: makes what stands in front of the activation of all convolutions but the first, of its number
                of feature maps, e.g. `torch.nn.BatchNorm2d`; None for nothing.

        Raises:
            UserError: unless the input is an image that can be halved as often as there are convolutions.
        """
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise UserError(
                f"ConvolutionalEncoder: input_shape (={tuple(input_shape)}) must be (channels, height, width). "
                "MLP takes other inputs."
            )
        require_positive("ConvolutionalEncoder", output_size, channels)
        height, width = halved("ConvolutionalEncoder: input_shape", input_shape[1:], len(channels))

        layers: OrderedDict[str, nn.Module] = OrderedDict()
        maps = (input_shape[0], *channels)
        for number in range(1, len(maps)):
            layers[f"conv{number}"] = nn.Conv2d(maps[number - 1], maps[number], KERNEL, STRIDE, PADDING)
            if normalization is not None and number > 1:
                layers[f"normalization{number}"] = normalization(maps[number])
            layers[f"activation{number}"] = activation()
        layers["flatten"] = nn.Flatten()
        layers["output"] = nn.Linear(maps[-1] * height * width, output_size)
        super().__init__(layers)

        for layer in self:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                he_normal_(layer, gain(layers["activation1"]))


class ConvolutionalDecoder(nn.Sequential):
    """One fully connected layer, and transposed convolutions, each of which doubles the image.

    The outputs are an image, flattened with its channels first: those of a likelihood that asks for means and log
    variances are C channels of means, then C channels of log variances.

    Layers are called `linear`, `activation1`, `conv1`, `activation2`, ... and `output`. Weights start He-normal with
    the activation's gain, biases at zero.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_size: int,
        image_size: tuple[int, int] = (28, 28),
        channels: Sequence[int] = (64, 32),
        activation: Callable[[], nn.Module] = nn.ReLU,
        normalization: Callable[[int], nn.Module] | None = None,
    ) -> None:
        """A network from codes (B, *input_shape), which it flattens, to outputs (B, output_size).

        Args:
            input_shape: shape of one code, e.g. (50,).
            output_size: number of outputs, a multiple of height x width.
            image_size: (H, W), height and width of the image.
            channels: number of feature maps that each transposed convolution takes.
            activation: makes the activation in front of a transposed convolution.
            normalization: makes what stands in front of an activation, of its number of feature maps, e.g.
                `torch.nn.BatchNorm2d`; None for nothing.

        Raises:
            UserError: unless the outputs make an image that can be halved as often as there are convolutions.
        """
        if not input_shape or min(input_shape) < 1:
            raise UserError(f"ConvolutionalDecoder: input_shape (={tuple(input_shape)}) must be positive.")
        require_positive("ConvolutionalDecoder", output_size, channels)
        height, width = halved("ConvolutionalDecoder: image_size", image_size, len(channels))
        pixels = math.prod(image_size)
        if output_size % pixels:
            raise UserError(
                f"ConvolutionalDecoder: output_size (={output_size}) must be a multiple of the {pixels} pixels of "
                f"image_size (={tuple(image_size)}). Set image_size to the height and width of the data."
            )

        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        layers["linear"] = nn.Linear(math.prod(input_shape), channels[0] * height * width)
        layers["unflatten"] = nn.Unflatten(1, (channels[0], height, width))
        if normalization is not None:
            layers["normalization1"] = normalization(channels[0])
        layers["activation1"] = activation()
        for number in range(1, len(channels)):
            layers[f"conv{number}"] = nn.ConvTranspose2d(
                channels[number - 1], channels[number], KERNEL, STRIDE, PADDING
            )
            if normalization is not None:
                layers[f"normalization{number + 1}"] = normalization(channels[number])
            layers[f"activation{number + 1}"] = activation()
        layers["output"] = nn.ConvTranspose2d(channels[-1], output_size // pixels, KERNEL, STRIDE, PADDING)
        layers["flatten_image"] = nn.Flatten()
        super().__init__(layers)

        scale = gain(layers["activation1"])
        for layer in self:
            if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
                he_normal_(layer, scale)


def require_positive(network: str, output_size: int, channels: Sequence[int]) -> None:
    """Refuse sizes below 1, and no channels at all.

    Raises:
        UserError: for one of them.
    """
    if output_size < 1:
        raise UserError(f"{network}: output_size (={output_size}) must be positive.")
    if not channels or min(channels) < 1:
        raise UserError(f"{network}: channels (={tuple(channels)}) must be one positive number for each convolution.")


def halved(name: str, size: Sequence[int], times: int) -> tuple[int, int]:
    """Height and width of an image that has been halved some times.

    Raises:
        UserError: unless both can be.
    """
    if len(size) != 2 or min(size) < 1 or any(side % STRIDE**times for side in size):
        raise UserError(
            f"{name} (={tuple(size)}) must have a height and a width that are multiples of {STRIDE**times}, since each "
            f"of the {times} convolutions halves them. Give another number of channels."
        )
    return size[0] // STRIDE**times, size[1] // STRIDE**times
