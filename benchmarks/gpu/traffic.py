"""The bytes that a step of Bayes by Backprop moves at least, if every loop over the weights reads and writes once.

Numbers of four bytes for each weight, with Adam:

==============================  ===================================================  ==
draw                            read mu, rho; write epsilon, w                        4
forward pass                    read w                                                1
backward pass of the network    read w (not in the first layer); write dL/dw          2
backward pass of the draw       read dL/dw, epsilon, mu, rho; write both gradients    6
Adam, for mu and for rho each   read gradient, parameter, two moments; write three   14
==============================  ===================================================  ==

Activations are left out: with minibatches of 128 they are some 2 % of it. A cache that holds an array from one loop to
the next can beat it.
"""

from benchmarks.gpu.training import CLASSES, PIXELS

_BYTES = 4
_NUMBERS = 27


def weights(units: int, members: int = 1) -> int:
    """Number of weights and biases of 784-U-U-10."""
    return members * ((PIXELS + 1) * units + (units + 1) * units + (units + 1) * CLASSES)


def bytes_of_step(units: int, members: int = 1) -> int:
    """See the module."""
    return _BYTES * (_NUMBERS * weights(units, members) - members * PIXELS * units)
