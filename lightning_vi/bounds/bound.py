"""What the training of a latent variable model maximises: a lower bound of log p(x)."""

from abc import ABC, abstractmethod

from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.latent_model import Draws


class Bound(ABC):
    """A bound, or another objective, as a function of draws from q(h | x).

    Attributes:
        samples: Draws k for each example.
        path: Whether the draws must hold the parameters of q's density, see `LatentModel.draw`.

    Args:
        samples: Draws k for each example.

    Raises:
        UserError: If there are none.
    """

    path = False

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise UserError(f"{type(self).__name__}: samples (={samples}) must be at least 1.")
        self.samples = samples

    @abstractmethod
    def loss(self, draws: Draws, epochs: float) -> Tensor:
        """What is minimised.

        Args:
            draws: k draws for each of B examples.
            epochs: Epochs trained, with their fraction, for what is annealed.

        Returns:
            Shape (), nats per example, averaged over the B examples.
        """
