import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks.initialisation import gain, he_normal_


class MLP(nn.Sequential):
    """Multilayer perceptron f(x) = W_L a(W_(L-1) a(... a(W_1 x))), with biases.

    Layers are called `linear1`, `activation1`, `dropout1`, `linear2`, ... and `output`; their names do not
    depend on whether there is dropout. Weights start He-normal with the activation's gain, biases at zero.

    References:
        Hinton, Srivastava, Krizhevsky, Sutskever, Salakhutdinov 2012, Improving neural networks by
            preventing co-adaptation of feature detectors (dropout of inputs and hidden units).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_size: int,
        hidden: Sequence[int] = (400, 400),
        activation: Callable[[], nn.Module] = nn.ReLU,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        linear: Callable[[int, int], nn.Linear] = nn.Linear,
        normalization: Callable[[int], nn.Module] | None = None,
    ) -> None:
        """A network from inputs (B, *input_shape), which it flattens, to outputs (B, output_size).

        Args:
            input_shape: shape of one input, e.g. (1, 28, 28).
            output_size: number of outputs.
            hidden: number of units of each hidden layer; none makes the network linear.
            activation: makes the activation of a hidden layer.
            input_dropout: probability that an input is dropped.
            dropout: probability that a hidden unit is dropped.
            linear: makes a hidden layer of its numbers of inputs and outputs, e.g. `DropConnect`. The
                output layer is always `torch.nn.Linear`.
            normalization: makes what stands between a hidden layer and its activation of its number of units, e.g.
                `torch.nn.BatchNorm1d`; None for nothing.

        Raises:
            UserError: for a size below 1 or a probability outside [0, 1).
        """
        sizes = {"input_shape": tuple(input_shape), "output_size": (output_size,), "hidden": tuple(hidden)}
        for name, values in sizes.items():
            if not all(value >= 1 for value in values):
                raise UserError(f"MLP: {name} (={values}) must be positive.")
        if not input_shape:
            raise UserError("MLP: input_shape (=()) must have at least one dimension. Give a scalar as (1,).")
        for name, p in {"input_dropout": input_dropout, "dropout": dropout}.items():
            if not 0.0 <= p < 1.0:
                raise UserError(f"MLP: {name} (={p}) must lie in [0, 1).")

        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        if input_dropout:
            layers["input_dropout"] = nn.Dropout(input_dropout)
        units = math.prod(input_shape)
        for number, width in enumerate(hidden, start=1):
            layers[f"linear{number}"] = linear(units, width)
            if normalization is not None:
                layers[f"normalization{number}"] = normalization(width)
            layers[f"activation{number}"] = activation()
            if dropout:
                layers[f"dropout{number}"] = nn.Dropout(dropout)
            units = width
        layers["output"] = nn.Linear(units, output_size)
        super().__init__(layers)

        scale = gain(layers["activation1"]) if hidden else 1.0
        for layer in self:
            if isinstance(layer, nn.Linear):
                he_normal_(layer, scale)
