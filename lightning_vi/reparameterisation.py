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
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_vi.functional.compiled import compiled
from lightning_vi.posteriors import FactorisedGaussian
from lightning_vi.priors import Prior

_PIECES = 16  # the compiler writes two loops for each


def only_kept(values: Tensor, kept: Tensor | None) -> Tensor:
    """0 in place of the values of removed weights, whatever those are; all of them where nothing is removed.

    Args:
        values: Shape (n,).
        kept: Shape (n,), bool, false where a weight is removed; None where none is.
    """
    return values if kept is None else torch.where(kept, values, 0.0)


def _forward(
    prior: Prior,
    posterior: FactorisedGaussian,
    mu: Tensor,
    rho: Tensor,
    epsilon: Tensor,
    kept: Tensor | None,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor | None]:
    sigma = posterior.sigma(rho)
    complexity = prior.complexity(mu, sigma, epsilon)
    weights = only_kept(mu + sigma * epsilon, kept).to(dtype)
    return weights, only_kept(complexity, kept).sum(), prior.score_of_draw(mu, sigma, epsilon)


class _Saved(NamedTuple):
    """What the backward pass needs of each weight, shapes (n,)."""

    mu: Tensor
    rho: Tensor
    epsilon: Tensor
    kept: Tensor | None
    score: Tensor | None


def _gradient(
    prior: Prior, posterior: FactorisedGaussian, saved: _Saved, grad_weights: Tensor, grad_complexity: Tensor
) -> tuple[Tensor, Tensor]:
    mu, rho, epsilon, kept, score = saved
    sigma, slope = posterior.sigma_and_slope(rho)
    by_mu, by_sigma = prior.complexity_gradient(mu, sigma, epsilon, score)
    grad_mu = grad_weights + grad_complexity * by_mu
    grad_rho = (grad_weights * epsilon + grad_complexity * by_sigma) * slope
    return only_kept(grad_mu, kept), only_kept(grad_rho, kept)


def _backward(
    prior: Prior,
    posterior: FactorisedGaussian,
    saved: _Saved,
    grad_pieces: tuple[Tensor, ...],
    grad_complexity: Tensor,
) -> tuple[Tensor, Tensor]:
    """Piece by piece, so that compiled loops write into the flat results what they read from the pieces."""
    sizes = [piece.numel() for piece in grad_pieces]
    cut = [[None] * len(sizes) if values is None else values.split(sizes) for values in saved]
    grads = [
        _gradient(prior, posterior, _Saved(*saved_piece), grad_piece.reshape(-1), grad_complexity)
        for *saved_piece, grad_piece in zip(*cut, grad_pieces, strict=True)
    ]
    by_mu, by_rho = zip(*grads, strict=True)
    return torch.cat(by_mu), torch.cat(by_rho)


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
        shapes: Sequence[torch.Size],
        fast: bool,
        dtype: torch.dtype,
    ) -> tuple[Tensor, ...]:
        run = compiled(_forward) if fast else _forward
        # The compiler would ask what is gathered from several parameters for a gradient, which a warning answers.
        mu, rho = (each if each.is_leaf else each.detach() for each in (mu, rho))
        weights, complexity, score = run(prior, posterior, mu, rho, epsilon, kept, dtype)
        ctx.save_for_backward(*_Saved(mu, rho, epsilon, kept, score))
        ctx.prior, ctx.posterior, ctx.fast = prior, posterior, fast
        pieces = weights.split([shape.numel() for shape in shapes])
        return complexity, *(piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True))

    @staticmethod
    def backward(ctx: Any, grad_complexity: Tensor, *grad_pieces: Tensor) -> tuple[Tensor | None, ...]:
        run = compiled(_backward) if ctx.fast else _backward
        if len(grad_pieces) > _PIECES:
            grad_pieces = (torch.cat([piece.reshape(-1) for piece in grad_pieces]),)
        grads = run(ctx.prior, ctx.posterior, _Saved(*ctx.saved_tensors), grad_pieces, grad_complexity)
        return *grads, None, None, None, None, None, None, None


def draw_and_price(
    mu: Tensor,
    rho: Tensor,
    epsilon: Tensor,
    prior: Prior,
    posterior: FactorisedGaussian,
    shapes: Sequence[torch.Size],
    fast: bool = False,
    kept: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Weights w = mu + sigma(rho) epsilon and their complexity term.

    Args:
        mu: Shape (n,).
        rho: Shape (n,).
        epsilon: Shape (n,), from N(0, 1).
        prior: Prices the weights.
        posterior: Gives sigma(rho).
        shapes: Of the pieces that the flat vector is cut into; they have n numbers together.
        fast: Use the compiled loops.
        kept: Shape (n,), bool, false where a weight is removed; None where none is.
        dtype: What w is rounded to, after all else is done; by default that of mu.

    Returns:
        The complexity term, shape (), in nats, summed over the kept weights; and the pieces of w.
    """
    rounded = mu.dtype if dtype is None else dtype
    complexity, *pieces = _DrawAndPrice.apply(mu, rho, epsilon, kept, prior, posterior, tuple(shapes), fast, rounded)
    return complexity, tuple(pieces)
