from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.networks.initialisation import gain, he_normal_

KERNEL, STRIDE, PADDING = 5, 2, 2


class DigitNetwork(nn.Module):
    """A classifier of images whose last hidden layer serves as their features.

    Convolutions of 5 x 5 with stride 2, each of which halves the image, a fully connected layer of ReLU units, which
    are the features, and a linear output layer. Weights start He-normal, biases at zero.

    Attributes:
        features: From images (B, C, H, W) to features (B, num_features), not negative.
        output: From features (B, num_features) to outputs (B, output_size), the logits of a classifier.
        input_shape: (C, H, W), channels, height and width of an image.
        num_features: Number of features.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_size: int,
        channels: Sequence[int] = (16, 32),
        num_features: int = 128,
        dropout: float = 0.0,
    ) -> None:
        """A network from images (B, C, H, W) to outputs (B, output_size).

        Args:
            input_shape: (C, H, W), channels, height and width.
            output_size: number of outputs.
            channels: number of feature maps of each convolution.
            num_features: number of features.
            dropout: probability that an input of the fully connected layer, or a feature, is dropped.

        Raises:
            UserError: for inputs that are no images, a size below 1 or a probability outside [0, 1).
        """
        super().__init__()
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise UserError(
                f"DigitNetwork: input_shape (={tuple(input_shape)}) must be (channels, height, width). "
                "MLP takes other inputs."
            )
        sizes = {"output_size": (output_size,), "channels": tuple(channels), "num_features": (num_features,)}
        for name, values in sizes.items():
            if not values or min(values) < 1:
                raise UserError(f"DigitNetwork: {name} (={values}) must be positive.")
        if not 0.0 <= dropout < 1.0:
            raise UserError(f"DigitNetwork: dropout (={dropout}) must lie in [0, 1).")

        maps, height, width = input_shape
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, wanted in enumerate(channels, start=1):
            layers[f"conv{number}"] = nn.Conv2d(maps, wanted, KERNEL, STRIDE, PADDING)
            layers[f"activation{number}"] = nn.ReLU()
            maps, height, width = wanted, -(-height // STRIDE), -(-width // STRIDE)
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(dropout)
        layers["linear"] = nn.Linear(maps * height * width, num_features)
        layers["activation"] = nn.ReLU()
        self.features = nn.Sequential(layers)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(num_features, output_size)
        self.input_shape, self.num_features = tuple(input_shape), num_features
        for layer in (*self.features, self.output):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                he_normal_(layer, gain(nn.ReLU()))

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (B, output_size) of images (B, C, H, W)."""
        outputs: Tensor = self.output(self.dropout(self.features(images)))
        return outputs
