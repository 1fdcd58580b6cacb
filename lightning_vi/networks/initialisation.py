"""Initial weights that keep the second moment of the units constant through the layers.

A layer with n inputs x and independent weights of variance v has outputs of variance n v E[x^2]. If x is
the ReLU of a symmetric variable of variance s, E[x^2] = s / 2, hence v = 2 / n; in general v = gain^2 / n.

References:
    He, Zhang, Ren, Sun 2015, Delving Deep into Rectifiers, equation 10.
"""

import math

from torch import nn

_GAINS: dict[type[nn.Module], float] = {
    nn.ReLU: nn.init.calculate_gain("relu"),
    nn.SELU: nn.init.calculate_gain("selu"),
    nn.Tanh: nn.init.calculate_gain("tanh"),
}


def gain(activation: nn.Module) -> float:
    """The gain of an activation as `torch.nn.init.calculate_gain` has it; 1 where it has none."""
    if isinstance(activation, nn.LeakyReLU):
        return nn.init.calculate_gain("leaky_relu", activation.negative_slope)
    return _GAINS.get(type(activation), 1.0)


def he_normal_(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, gain: float) -> None:
    """Draw the weights from N(0, gain^2 / n), n inputs per output, and set the biases to zero, in place."""
    if isinstance(layer, nn.ConvTranspose2d):
        # Of the kernel's weights for an input channel, those that meet at a pixel: one in stride x stride.
        inputs = layer.weight[:, 0].numel() / math.prod(layer.stride)
    else:
        inputs = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / inputs**0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
