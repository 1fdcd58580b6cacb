"""Penalties on the slope of the discriminator with respect to its input, which keep it from winning outright.

They need second derivatives, and are computed without autocast: squares of small slopes vanish in 16 bits.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import at_least_float32


class Penalty(ABC):
    """A term of the discriminator's loss, at every n-th of its steps with n times its weight.

    Args:
        weight: Of the penalty's mean over the minibatch.
        every: n.

    Raises:
        UserError: Unless the weight is positive and finite and `every` at least 1.
    """

    def __init__(self, weight: float, every: int = 1) -> None:
        if not 0.0 < weight < math.inf:
            raise UserError(f"{type(self).__name__}: weight (={weight}) must be positive and finite.")
        if every < 1:
            raise UserError(f"{type(self).__name__}: every (={every}) must be at least 1.")
        self.weight, self.every = weight, every

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, step: int) -> Tensor | None:
        """The term at a step of the discriminator, counted from 0, shape (); None if it is not due.

        Args:
            discriminator: Maps (B, ...) to (B, 1).
            real: Data, (B, ...).
            fake: Generated examples, (B, ...), without a gradient.
            step: Number of the step.
        """
        if step % self.every:
            return None
        with torch.autocast(real.device.type, enabled=False):
            return (
                self.every * self.weight * self.penalty(discriminator, at_least_float32(real), at_least_float32(fake))
            )

    @abstractmethod
    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Mean over the minibatch, shape ()."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(weight={self.weight}, every={self.every})"


class R1(Penalty):
    r"""The squared slope at the data, :math:`\frac12 E_x \|\nabla f(x)\|^2`.

    Args:
        weight: gamma.
        every: See `Penalty`; 16 and 4 save most of its cost ("lazy").

    References:
        Mescheder, Geiger, Nowozin 2018, Which Training Methods for GANs do actually Converge?, equation 9. Karras et
        al. 2020, Analyzing and Improving the Image Quality of StyleGAN, section 3.1 (lazy regularisation).
    """

    def __init__(self, weight: float = 1.0, every: int = 4) -> None:
        super().__init__(weight, every)

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """See `Penalty.penalty`."""
        return 0.5 * _slopes(discriminator, real).square().mean()


class GradientPenalty(Penalty):
    r"""How far the slope between data and generated examples is from 1, :math:`E_u (\|\nabla f(u)\| - 1)^2`.

    u lies on the straight lines between them, uniformly.

    Args:
        weight: lambda.
        every: See `Penalty`.

    References:
        Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, Improved Training of Wasserstein GANs, equation 3.
    """

    def __init__(self, weight: float = 10.0, every: int = 1) -> None:
        super().__init__(weight, every)

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """See `Penalty.penalty`."""
        shares = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
        return (_slopes(discriminator, torch.lerp(fake, real, shares)) - 1.0).square().mean()


def _slopes(discriminator: nn.Module, inputs: Tensor) -> Tensor:
    """Norms of the gradient of the output with respect to the input, (B,), that can be differentiated once more."""
    inputs = inputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(inputs).sum(), inputs, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(start_dim=1), dim=-1)
    return norms
