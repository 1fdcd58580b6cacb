from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_vi.latent_space import NothingToDraw


class Units(Protocol):
    """How much the D latent variables of a layer are used."""

    @property
    def kl(self) -> Tensor:
        """Mean KL of each, (D,), nats."""

    @property
    def variance(self) -> Tensor:
        """Variance over examples of the mean of q, (D,)."""

    @property
    def active(self) -> Tensor:
        """Which are used, (D,), bool."""


@runtime_checkable
class Measured(Protocol):
    """A module that measures at each test how much its latent variables are used."""

    @property
    def units(self) -> Sequence[Units]:
        """Of each layer, from the first upwards; none before the first test or validation."""


def measured_units(module: LightningModule) -> Sequence[Units]:
    """What a test has found of a module's latent variables.

    Raises:
        NothingToDraw: If it has none.
    """
    if not isinstance(module, Measured) or not module.units:
        raise NothingToDraw(f"{type(module).__name__} has no latent variables with a KL")
    return module.units
