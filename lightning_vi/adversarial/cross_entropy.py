r"""The lecture's game, and the loss that its authors train the generator with.

.. math:: \min_G \max_D \; E_x[\log D(x)] + E_z[\log(1 - D(G(z)))]

For the best discriminator the value is 2 JSD[p_data || p_G] - 2 log 2. Where the discriminator wins, log(1 - D(G(z)))
is flat, and the generator of :class:`Minimax` learns nothing; that of :class:`NonSaturating` ascends log D(G(z)), which
has the same fixed point.

References:
    Goodfellow et al. 2014, Generative Adversarial Nets, equation 1 and section 3. Lecture 13, generative adversarial
    networks.
"""

import torch.nn.functional as F
from torch import Tensor

from lightning_vi.adversarial.loss import AdversarialLoss


class Minimax(AdversarialLoss):
    """The lecture's: D ascends E[log D(x)] + E[log(1 - D(G(z)))], G descends its second term."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.discriminator`."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.generator`; it is negative."""
        return -F.softplus(fake).mean()

    def judgement(self, outputs: Tensor) -> Tensor:
        """See `AdversarialLoss.judgement`."""
        return outputs.sigmoid()


class NonSaturating(Minimax):
    """The same discriminator; the generator minimises E[-log D(G(z))]."""

    def generator(self, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.generator`."""
        return F.softplus(-fake).mean()
