r"""The evidence lower bound, and its variants that weigh the KL term otherwise.

.. math:: L(x) = E_q[\log p(x \mid h)] - KL[q(h \mid x) \,\|\, p(h)] \le \log p(x).
"""

import math

from torch import Tensor

from lightning_vi.annealing import Annealing, Constant
from lightning_vi.bounds.bound import Bound
from lightning_vi.errors import UserError
from lightning_vi.latent_model import Draws


class ELBO(Bound):
    """E_q[log p(x | h)] - beta sum_d max(KL_d, free_bits), with KL_d averaged over the minibatch.

    With beta = 1 and no free bits it is the evidence lower bound. Neither changes what is logged as ELBO.

    Args:
        samples: Draws k for each example, averaged.
        analytic_kl: Take the last layer's KL in closed form; else log q - log p at the draws, as layers below always
            do.
        beta: Weight of the KL term over the epochs.
        free_bits: Nats per latent variable of the last layer below which its KL, averaged over this device's minibatch,
            is not pressed any further.

    Raises:
        UserError: If `free_bits` is negative or not finite.

    References:
        Kingma, Welling 2014, Auto-Encoding Variational Bayes, equations 6 and 7. Higgins et al. 2017, beta-VAE,
        equation 4. Kingma et al. 2016, Improving Variational Inference with Inverse Autoregressive Flow, equation 15
        (free bits, one latent variable in each group).
    """

    def __init__(
        self,
        samples: int = 1,
        analytic_kl: bool = True,
        beta: Annealing = Constant(beta=1.0),
        free_bits: float = 0.0,
    ) -> None:
        super().__init__(samples)
        if not 0.0 <= free_bits < math.inf:
            raise UserError(f"ELBO: free_bits (={free_bits}) must be finite and not negative.")
        self.analytic_kl, self.beta, self.free_bits = analytic_kl, beta, free_bits

    def loss(self, draws: Draws, epochs: float) -> Tensor:
        """See `Bound.loss`."""
        loss = -draws.log_likelihood.mean()
        beta = self.beta(epochs)
        for layer in draws.layers:
            kl = (layer.kl if self.analytic_kl else layer.log_ratio).flatten(end_dim=-2).mean(dim=0)
            if self.free_bits and layer is draws.layers[-1]:
                kl = kl.clamp(min=self.free_bits)
            loss = loss + beta * kl.sum()
        return loss
