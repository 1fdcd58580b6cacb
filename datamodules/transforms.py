r"""Random transforms of grey pixels: into bits for a Bernoulli decoder, into numbers that have a density for others.

A pixel with L grey levels is :math:`x = k / (L - 1)`, k = 0, ..., L - 1. With noise :math:`u \sim U[0, 1)`, drawn
for every pixel of every image independently,

.. math:: b = 1[u < x], \quad P(b = 1) = x
          \qquad\text{and}\qquad
          x' = \frac{k + u}{L} \in [0, 1)

are its binarisation and its dequantisation. A density q of x' gives an image of D pixels the probability P(k), the
integral of q over the cell of x', whose volume is :math:`L^{-D}`. By Jensen's inequality

.. math:: -\frac{\log_2 P(k)}{D} \le -\frac{E_u[\log_2 q(x')]}{D} + \log_2 L

in bits per dimension, which is how models of x' are compared with models of k.

The transforms are functions of the noise; here is who owns it. What is drawn once comes from `CONSTANT_SEED`, on the
CPU: the same for everybody. What is drawn at every step comes from (seed, epoch, step), on the device of the data.
Neither reads nor moves PyTorch's global generators.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lightning_vi.errors import UserError

CONSTANT_SEED = 2011
STEP_STREAM = 1  # apart from the stream of the shuffles, whose spawn key is (epoch,)


class Transform(ABC):
    """A random map of the inputs, of every pixel on its own.

    Validation, test and prediction inputs are transformed once, by the same noise in every run and on every device,
    so that their scores can be compared over epochs and runs.

    Attributes:
        fresh: Whether the training inputs are transformed anew at every step, instead of once like the others.
    """

    fresh: ClassVar[bool]

    @abstractmethod
    def __call__(self, inputs: Tensor, noise: Tensor, maximum: float) -> Tensor:
        """Transform inputs.

        Args:
            inputs: Grey values in [0, 1], with shape (B, *input_shape).
            noise: Uniform on [0, 1), of the same shape and type.
            maximum: See `Scaling.fit`; there are L = maximum + 1 grey levels.

        Returns:
            A new tensor of the same shape and type.
        """

    def levels(self, maximum: float) -> int | None:
        """L where the outputs are dequantised pixels with L grey levels, else None."""
        return None

    def check(self, inputs: Tensor, maximum: float) -> None:
        """Refuse inputs that are not grey values; arguments as for `__call__`.

        Raises:
            UserError: If they are not.
        """
        if inputs.numel() == 0:
            return
        low, high = (bound.item() for bound in inputs.aminmax())
        if low < 0 or high > 1:
            raise UserError(
                f"{type(self).__name__}: inputs must lie in [0, 1], but these lie in [{low:.4g}, {high:.4g}]; "
                "set scaling to UnitInterval."
            )


@dataclass(frozen=True)
class StochasticBinarisation(Transform):
    """Each pixel is 1 with probability its grey value, else 0; training images are drawn anew at every step.

    The evaluation splits have the bits that `FixedBinarisation` gives them.

    References:
        Salakhutdinov & Murray 2008, On the Quantitative Analysis of Deep Belief Networks.
        Burda et al. 2016, Importance Weighted Autoencoders, section 5.1.
    """

    fresh = True

    def __call__(self, inputs: Tensor, noise: Tensor, maximum: float) -> Tensor:
        """See `Transform.__call__`; the outputs are 0.0 and 1.0."""
        return _binarised(inputs, noise)


@dataclass(frozen=True)
class FixedBinarisation(Transform):
    """Each pixel is 1 with probability its grey value, else 0; drawn once, the same bits in every run.

    This is the protocol of the fixed binarised MNIST of Larochelle & Murray, with other bits than theirs: scores may
    differ from those on their files by what two such draws differ.

    References:
        Larochelle & Murray 2011, The Neural Autoregressive Distribution Estimator.
        Burda et al. 2016, Importance Weighted Autoencoders, appendix D.
    """

    fresh = False

    def __call__(self, inputs: Tensor, noise: Tensor, maximum: float) -> Tensor:
        """See `Transform.__call__`; the outputs are 0.0 and 1.0."""
        return _binarised(inputs, noise)


@dataclass(frozen=True)
class Dequantisation(Transform):
    """x' = (k + u) / L for a pixel of grey level k; training images are drawn anew at every step.

    References:
        Uria et al. 2013, RNADE: The real-valued neural autoregressive density-estimator.
        Theis et al. 2016, A note on the evaluation of generative models, section 3.1.
    """

    fresh = True

    def __call__(self, inputs: Tensor, noise: Tensor, maximum: float) -> Tensor:
        """See `Transform.__call__`; the outputs lie in (0, 1), and floor(L x') is the grey level k."""
        levels = self.levels(maximum)
        # Further from 0 and 1 than all the rounding on the way to floor(L x'), or 255 + u could become 256.
        margin = 2 * levels * torch.finfo(inputs.dtype).eps
        return (inputs * maximum).round_().add_(noise.clamp(margin, 1 - margin)).div_(levels)

    def levels(self, maximum: float) -> int:
        """See `Transform.levels`."""
        return round(maximum) + 1

    def check(self, inputs: Tensor, maximum: float) -> None:
        """See `Transform.check`; the inputs must be whole grey levels, too."""
        super().check(inputs, maximum)
        grey = inputs * maximum
        if grey.sub_(grey.round()).abs_().gt(1e-3).any():
            raise UserError(
                f"{type(self).__name__}: inputs must be whole grey levels over {maximum:g}, but these are not; "
                "set scaling to UnitInterval."
            )


@dataclass(frozen=True)
class StepTransform:
    """A transform with noise of its own for every step of every epoch.

    Args:
        transform: What is done to the inputs of a batch.
        maximum: See `Transform.__call__`.
        seed: Not negative; the same on every rank.
    """

    transform: Transform
    maximum: float
    seed: int

    def __call__(self, inputs: Tensor, epoch: int, step: int, block: int, place: slice) -> Tensor:
        """Transform a rank's part of a step's block.

        Each rank draws the noise of the whole block, though it needs its part only. So the ranks' noise differs, and
        together they see what one process with their joint batch sees, on a device of the same type.

        Args:
            inputs: The part, with shape (B, *input_shape).
            epoch: Number of the epoch.
            step: Number of the step inside it.
            block: Number of examples in the block.
            place: Where in the block the part lies; B examples.

        Returns:
            The transformed inputs, with shape (B, *input_shape).
        """
        shape = (block, *inputs.shape[1:])
        noise = _uniform(shape, inputs, np.random.SeedSequence(self.seed, spawn_key=(STEP_STREAM, epoch, step)))
        return self.transform(inputs, noise[place], self.maximum)


def transform_once(transform: Transform, inputs: Tensor, maximum: float, split: int) -> Tensor:
    """Transform a split by noise that depends on nothing but its number and its shape.

    Args:
        transform: What is done.
        inputs: All of the split, with shape (N, *input_shape), in host memory.
        maximum: See `Transform.__call__`.
        split: 0, 1 or 2 for the training, validation or test split.
    """
    noise = _uniform(inputs.shape, inputs, np.random.SeedSequence(CONSTANT_SEED, spawn_key=(split,)))
    return transform(inputs, noise, maximum)


def _uniform(shape: tuple[int, ...], like: Tensor, stream: np.random.SeedSequence) -> Tensor:
    seed = int(stream.generate_state(1, np.uint64)[0])  # of which PyTorch's CPU generator takes the lower 32 bits
    generator = torch.Generator(device=like.device).manual_seed(seed)
    return torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)


def _binarised(inputs: Tensor, noise: Tensor) -> Tensor:
    # Comparing into a float tensor is six times as fast as converting the booleans.
    return torch.lt(noise, inputs, out=torch.empty_like(inputs))
