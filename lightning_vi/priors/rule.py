"""Which prior each parameter of a network has."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:  # a prior is a rule itself
    from lightning_vi.priors.prior import Prior


class PriorRule(ABC):
    """Gives every random parameter of a network a prior, by its name and its shape.

    The simplest rule is a :class:`Prior` itself, the same for all. The weights are independent under any of them, so
    that the divergences of parameters add up.
    """

    @abstractmethod
    def assign(self, shapes: Mapping[str, torch.Size]) -> dict[str, "Prior"]:
        """The prior of each parameter.

        Args:
            shapes: The random parameters' full names, each with its shape.

        Returns:
            The same names, each with the density of every single weight of that parameter.
        """
