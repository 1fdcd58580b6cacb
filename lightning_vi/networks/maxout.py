import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.networks.initialisation import he_normal_


class Maxout(nn.Module):
    """A layer whose units are maxima of linear functions: max_j (w_ij x + b_ij), j = 1, ..., pieces.

    Args:
        inputs: Number of inputs.
        units: Number of units.
        pieces: Linear functions of each unit.

    References:
        Goodfellow, Warde-Farley, Mirza, Courville, Bengio 2013, Maxout Networks, equation 1.
    """

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, units * pieces)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, units) for inputs (B, inputs)."""
        pieces: Tensor = self.linear(inputs).unflatten(-1, (-1, self.pieces))
        return pieces.amax(dim=-1)


class MaxoutMLP(nn.Sequential):
    """A multilayer perceptron of maxout units, with dropout: Goodfellow's discriminator.

    Layers are called `maxout1`, `dropout1`, ... and `output`. Weights start He-normal, biases at zero.

    References:
        Goodfellow et al. 2014, Generative Adversarial Nets, section 5 and its published code: two layers of 240 units
        of 5 pieces, dropout of 0.2 of the inputs and 0.5 of the units.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_size: int,
        hidden: Sequence[int] = (240, 240),
        pieces: int = 5,
        input_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        """A network from inputs (B, *input_shape), which it flattens, to outputs (B, output_size).

        Args:
            input_shape: shape of one input.
            output_size: number of outputs.
            hidden: number of units of each hidden layer.
            pieces: linear functions of each unit.
            input_dropout: probability that an input is dropped.
            dropout: probability that a hidden unit is dropped.

        Raises:
            UserError: for a number below 1 or a probability outside [0, 1).
        """
        numbers = {"input_shape": input_shape, "output_size": [output_size], "hidden": hidden, "pieces": [pieces]}
        for name, values in numbers.items():
            if not values or min(values) < 1:
                raise UserError(f"MaxoutMLP: {name} (={tuple(values)}) must be positive.")
        for name, p in {"input_dropout": input_dropout, "dropout": dropout}.items():
            if not 0.0 <= p < 1.0:
                raise UserError(f"MaxoutMLP: {name} (={p}) must lie in [0, 1).")
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        layers["input_dropout"] = nn.Dropout(input_dropout)
        units = math.prod(input_shape)
        for number, width in enumerate(hidden, start=1):
            layers[f"maxout{number}"] = Maxout(units, width, pieces)
            layers[f"dropout{number}"] = nn.Dropout(dropout)
            units = width
        layers["output"] = nn.Linear(units, output_size)
        super().__init__(layers)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                he_normal_(layer, 1.0)
