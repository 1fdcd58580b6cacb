r"""A Gaussian prior under which the outputs of a layer are about as large as its inputs, whatever its width.

.. math:: w_{ij} \sim N(0, s^2 / n), \qquad n = \text{the number of inputs of an output ("fan-in")},

so that a sum of n inputs of mean square 1 has the variance s^2. With s = sqrt(2) that makes up for the half that ReLU
takes away (He's initialisation).

References:
    Neal (1996), Bayesian Learning for Neural Networks, section 2.1. He, Zhang, Ren and Sun (2015), Delving Deep into
    Rectifiers, equation 10.
"""

import math
from collections.abc import Mapping

import torch

from lightning_vi.errors import UserError
from lightning_vi.priors.gaussian import Gaussian
from lightning_vi.priors.prior import Prior
from lightning_vi.priors.rule import PriorRule


class FanInGaussian(PriorRule):
    """N(0, scale^2 / fan-in) for the weights of linear and convolutional layers, of shape (outputs, inputs, ...).

    The shape of an embedding, and of a transposed convolution, means something else: give those another prior
    by :class:`ByName`.

    Args:
        scale: Standard deviation of an output under inputs of mean square 1, > 0; by default sqrt(2), for ReLU.
        vectors: Prior of parameters with fewer than two dimensions: biases, and the scales of normalisation.
    """

    def __init__(self, scale: float = 2.0**0.5, vectors: Prior = Gaussian(sigma=1.0)) -> None:
        if not 0.0 < scale < math.inf:
            raise UserError(f"FanInGaussian: scale (={scale}) must be > 0 and finite.")
        self.scale = scale
        self.vectors = vectors

    def __repr__(self) -> str:
        return f"FanInGaussian(scale={self.scale:.6g}, vectors={self.vectors})"

    def assign(self, shapes: Mapping[str, torch.Size]) -> dict[str, Prior]:
        """See :meth:`PriorRule.assign`."""
        return {
            name: self.vectors if len(shape) < 2 else Gaussian(self.scale / math.sqrt(shape[1:].numel()))
            for name, shape in shapes.items()
        }
