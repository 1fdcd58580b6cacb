"""Likelihoods p(y | f(x)): what the outputs f(x) of a network say about the target y.

A likelihood turns outputs into a `torch.distributions.Distribution` over targets, so that one line of
negative log-likelihood serves classification, regression and decoders alike, and the same object gives
samples, means and probabilities for prediction.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lightning_vi.errors import UserError


class Likelihood(nn.Module, ABC):
    """p(y | f): maps the outputs of a network to a distribution over targets.

    Outputs have shape (..., B, output_size): B examples, and any leading dimensions, e.g. S weight samples.
    """

    @abstractmethod
    def output_size(self, target_size: int) -> int:
        """The number of outputs a network needs.

        Args:
            target_size: the number of classes, or the dimension D of a target.

        Raises:
            UserError: for a target size with which the distribution is not defined.
        """

    @abstractmethod
    def forward(self, outputs: Tensor) -> Distribution:
        """The distribution over targets.

        Args:
            outputs: (..., B, output_size).

        Returns:
            a distribution with batch shape (..., B) and the event shape of one target: () for a class, (D,)
            for a vector. Its arguments are not validated: reading every output back would cost more than
            the density.
        """

    def outputs_of(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Outputs, shape (output_size,), that give a target these moments, as nearly as the family can.

        Args:
            mean: (D,)
            variance: (D,)

        Raises:
            UserError: if it is not implemented, as for classes.
        """
        raise UserError(f"{type(self).__name__}: no outputs for a mean and a variance; it must define outputs_of.")

    def scale_of(self, variance: Tensor) -> Tensor | None:
        """In what units outputs should be learnt for data of that variance, (D,); shape as of :meth:`outputs_of`.

        None if in their own.
        """
        return None

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """-log p(y | f) for each example, in nats, summed over the dimensions of a target.

        Args:
            outputs: (..., B, output_size).
            targets: (B,) classes or (B, D) vectors, shared by all leading dimensions of the outputs.

        Returns:
            (..., B)

        Raises:
            UserError: if the targets' shape does not fit. Broadcasting (B,) against (B, 1) would give a
                finite and wrong number.
        """
        distribution = self.forward(outputs)
        self.require_fit(outputs, targets, distribution.batch_shape[-1:] + distribution.event_shape)
        if targets.numel() == 0:  # the part of a device that a last block has left nothing; torch fails on it
            return outputs.sum(dim=-1)
        log_prob: Tensor = distribution.log_prob(targets)
        return -log_prob

    def require_fit(self, outputs: Tensor, targets: Tensor, expected: torch.Size) -> None:
        """Refuse targets of another shape than the expected one, (B,) or (B, D).

        Raises:
            UserError: see :meth:`nll`.
        """
        if targets.shape != expected:
            raise UserError(
                f"{type(self).__name__}: targets of shape {tuple(targets.shape)} do not fit outputs of shape "
                f"{tuple(outputs.shape)}, which ask for {tuple(expected)}. Choose a likelihood that fits."
            )


def at_least_float32(outputs: Tensor) -> Tensor:
    """Outputs in float32 or better, whatever precision the network computed in; same shape.

    Under mixed precision a network returns bfloat16 with 8 bits: enough for logits, too few for logsumexp.
    """
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
