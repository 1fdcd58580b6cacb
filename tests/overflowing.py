"""A loss of adversarial networks that overflows once."""

import math

from torch import Tensor

from lightning_vi.adversarial import NonSaturating


class Overflowing(NonSaturating):
    """The losses of one network are not finite at its second step."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.calls = {"discriminator": 0, "generator": 0}

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().discriminator(real, fake) * self._factor("discriminator")

    def generator(self, fake: Tensor) -> Tensor:
        return super().generator(fake) * self._factor("generator")

    def _factor(self, network: str) -> float:
        self.calls[network] += 1
        return math.inf if self.network == network and self.calls[network] == 2 else 1.0
