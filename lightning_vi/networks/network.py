from collections.abc import Callable

from torch import nn

Network = Callable[[tuple[int, ...], int], nn.Module]
"""Anything that makes a network of an input shape and an output size: `network(input_shape, output_size)`.

A class whose first two constructor arguments are these is one, so that on the command line and in YAML its
name and its other arguments are all that is given. Its modules map (B, *input_shape) to (B, output_size).
"""
