r"""One pass over all weights: draw them and price them; and its gradient, by hand.

.. math:: w = \mu + \sigma(\rho)\, \epsilon, \qquad K = \sum_i k(\mu_i, \sigma_i, \epsilon_i),

where k is the complexity term of the prior. With g = dL/dw, c = dL/dK the gradient is

.. math::
    \frac{dL}{d\mu} = g + c\, \frac{\partial k}{\partial \mu}, \qquad
    \frac{dL}{d\rho} = \Big(g\, \epsilon + c\, \frac{\partial k}{\partial \sigma}\Big) \sigma'(\rho).

Weights that have been removed are 0, cost nothing, and have gradients of 0.

Automatic differentiation would walk through a dozen arrays of the length of the network for this. Here the
elementwise part of each direction is one loop when compiled, and the same few lines run eagerly otherwise.

References:
    Blundell et al. (2015), Weight Uncertainty in Neural Networks, section 3.2, steps 5 and 6.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_vi.functional.compiled import compiled
from lightning_vi.posteriors import FactorisedGaussian
from lightning_vi.priors import Prior


def only_kept(values: Tensor, kept: Tensor | None) -> Tensor:
    """0 in place of the values of removed weights, whatever those are; all of them where nothing is removed.

    Args:
        values: Shape (n,).
        kept: Shape (n,), bool, false where a weight is removed; None where none is.
    """
    return values if kept is None else torch.where(kept, values, 0.0)


def _forward(
    prior: Prior, posterior: FactorisedGaussian, mu: Tensor, rho: Tensor, epsilon: Tensor, kept: Tensor | None
) -> tuple[Tensor, Tensor]:
    sigma = posterior.sigma(rho)
    complexity = prior.complexity(mu, sigma, epsilon)
    return only_kept(mu + sigma * epsilon, kept), only_kept(complexity, kept).sum()


def _backward(
    prior: Prior,
    posterior: FactorisedGaussian,
    mu: Tensor,
    rho: Tensor,
    epsilon: Tensor,
    kept: Tensor | None,
    grad_weights: Tensor,
    grad_complexity: Tensor,
) -> tuple[Tensor, Tensor]:
    sigma, slope = posterior.sigma_and_slope(rho)
    by_mu, by_sigma = prior.complexity_gradient(mu, sigma, epsilon)
    grad_mu = grad_weights + grad_complexity * by_mu
    grad_rho = (grad_weights * epsilon + grad_complexity * by_sigma) * slope
    return only_kept(grad_mu, kept), only_kept(grad_rho, kept)


class _DrawAndPrice(torch.autograd.Function):
    """Returns the pieces themselves: slicing a flat result would write one full-length gradient per piece."""

    @staticmethod
    def forward(
        ctx: Any,
        mu: Tensor,
        rho: Tensor,
        epsilon: Tensor,
        kept: Tensor | None,
        prior: Prior,
        posterior: FactorisedGaussian,
        sizes: Sequence[int],
        fast: bool,
    ) -> tuple[Tensor, ...]:
        run = compiled(_forward) if fast else _forward
        weights, complexity = run(prior, posterior, mu, rho, epsilon, kept)
        ctx.save_for_backward(mu, rho, epsilon, kept)
        ctx.prior, ctx.posterior, ctx.fast = prior, posterior, fast
        return complexity, *weights.split(sizes)

    @staticmethod
    def backward(ctx: Any, grad_complexity: Tensor, *grad_pieces: Tensor) -> tuple[Tensor | None, ...]:
        run = compiled(_backward) if ctx.fast else _backward
        mu, rho, epsilon, kept = ctx.saved_tensors
        grads = run(ctx.prior, ctx.posterior, mu, rho, epsilon, kept, torch.cat(grad_pieces), grad_complexity)
        return *grads, None, None, None, None, None, None


def draw_and_price(
    mu: Tensor,
    rho: Tensor,
    epsilon: Tensor,
    prior: Prior,
    posterior: FactorisedGaussian,
    sizes: Sequence[int],
    fast: bool = False,
    kept: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Weights w = mu + sigma(rho) epsilon and their complexity term.

    Args:
        mu: Shape (n,).
        rho: Shape (n,).
        epsilon: Shape (n,), from N(0, 1).
        prior: Prices the weights.
        posterior: Gives sigma(rho).
        sizes: Lengths of the pieces that the flat vector is cut into; their sum is n.
        fast: Use the compiled loops.
        kept: Shape (n,), bool, false where a weight is removed; None where none is.

    Returns:
        The complexity term, shape (), in nats, summed over the kept weights; and the pieces of w.
    """
    complexity, *pieces = _DrawAndPrice.apply(mu, rho, epsilon, kept, prior, posterior, tuple(sizes), fast)
    return complexity, tuple(pieces)
