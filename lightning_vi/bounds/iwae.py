r"""The importance weighted bound and two estimators of its gradient.

.. math:: L_k(x) = E\Big[\log \frac1k \sum_{i=1}^k w_i\Big], \qquad w_i = \frac{p(x, h_i)}{q(h_i \mid x)},
          \qquad h_i \sim q(h \mid x).

L_1 is the ELBO, and L_k grows with k towards log p(x).
"""

from torch import Tensor

from lightning_vi.bounds.bound import Bound
from lightning_vi.functional.importance import log_mean_exp, normalised_weights
from lightning_vi.latent_model import Draws


class IWAE(Bound):
    """L_k, with the gradient of the reparameterised draws.

    Args:
        samples: Draws k for each example.

    References:
        Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, equations 8 and 13.
    """

    def __init__(self, samples: int = 5) -> None:
        super().__init__(samples)

    def loss(self, draws: Draws, epochs: float) -> Tensor:
        """See `Bound.loss`."""
        return -log_mean_exp(draws.log_weights).mean()


class DReG(Bound):
    """L_k, with the doubly reparameterised gradient of the encoder, whose signal does not fade as k grows.

    With w~_i = w_i / sum_j w_j the decoder's gradient is sum_i w~_i d log w_i, as for :class:`IWAE`, and the encoder's
    sum_i w~_i^2 (d log w_i / d h_i) d h_i, which is unbiased too.

    Args:
        samples: Draws k for each example.

    References:
        Tucker, Lawson, Gu, Maddison 2019, Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives,
        equation 8.
    """

    path = True

    def __init__(self, samples: int = 5) -> None:
        super().__init__(samples)

    def loss(self, draws: Draws, epochs: float) -> Tensor:
        """See `Bound.loss`."""
        log_weights = draws.log_weights
        weights = normalised_weights(log_weights)
        for layer in draws.layers:
            if layer.latents.requires_grad:
                layer.latents.register_hook(lambda gradient: gradient * weights.unsqueeze(-1))
        surrogate = (weights * log_weights).sum(dim=0)
        bound = log_mean_exp(log_weights.detach())
        return -(surrogate + (bound - surrogate).detach()).mean()
