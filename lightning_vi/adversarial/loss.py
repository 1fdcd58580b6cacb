"""What discriminator and generator minimise, as functions of the discriminator's outputs f.

The discriminator's probability that x comes from the data is D(x) = s(f(x)), s the logistic function. All losses are
computed from f, since log s(f) = -softplus(-f) is finite where s(f) has become 0.
"""

from abc import ABC, abstractmethod

from torch import Tensor


class AdversarialLoss(ABC):
    """Losses are means over the minibatch, (), in nats where there is a logarithm; outputs f have shape (B, 1)."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises, of its outputs for data and for generated examples."""

    @abstractmethod
    def generator(self, fake: Tensor) -> Tensor:
        """What the generator minimises, of the discriminator's outputs for generated examples."""

    @abstractmethod
    def judgement(self, outputs: Tensor) -> Tensor:
        """D(x) as the loss reads it, elementwise: a probability, or a score that has no unit."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
