from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks.initialisation import gain, he_normal_


class LeNet(nn.Sequential):
    """A small convolutional network after LeNet-5: two convolutions, three fully connected layers.

    With ReLU for the squashing function, maxima for trainable means, full connections from the first
    feature maps to the second, and padding that keeps the size, so that any image of at least 4 x 4 pixels
    will do. Weights start He-normal, biases at zero.

    References:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning Applied to Document Recognition,
        section II.B.
    """

    def __init__(self, input_shape: Sequence[int], output_size: int) -> None:
        """A network from images (B, C, H, W) to outputs (B, output_size).

        Args:
            input_shape: (C, H, W), channels, height and width.
            output_size: number of outputs.

        Raises:
            UserError: unless the input is an image of at least 4 x 4 pixels.
        """
        if len(input_shape) != 3 or input_shape[0] < 1 or min(input_shape[1:]) < 4:
            raise UserError(
                f"LeNet: input_shape (={tuple(input_shape)}) must be (channels, height, width), height and "
                "width at least 4. MLP takes other inputs."
            )
        if output_size < 1:
            raise UserError(f"LeNet: output_size (={output_size}) must be positive.")
        channels, height, width = input_shape
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(channels, 6, kernel_size=5, padding=2),
                activation1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 16, kernel_size=5, padding=2),
                activation2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                linear1=nn.Linear(16 * (height // 4) * (width // 4), 120),
                activation3=nn.ReLU(),
                linear2=nn.Linear(120, 84),
                activation4=nn.ReLU(),
                output=nn.Linear(84, output_size),
            )
        )
        for layer in self:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                he_normal_(layer, gain(nn.ReLU()))
