r"""Removing weights by their signal-to-noise ratio, the lowest first.

.. math:: \frac{|\mu_i|}{\sigma_i} = \text{how many standard deviations the weight's posterior mean lies from 0.}

A weight with a small ratio does little at its mean, and its posterior does not know its sign. To remove it is to make
it 0 for certain: mu = 0 and sigma = 0, so that it is exactly 0 in every draw. (rho = 0 does not: softplus(0) = 0.69.)

References:
    Blundell, Cornebise, Kavukcuoglu and Wierstra (2015), Weight Uncertainty in Neural Networks, section 5.1, table 2.
    Graves (2011), Practical Variational Inference for Neural Networks, section 7.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError


def removal(model: BayesianModule, fraction: float) -> int:
    """How many weights are removed in all once a fraction is.

    Args:
        model: The Bayesian network; its deterministic parameters do not count.
        fraction: Of its n random weights, in [0, 1).

    Returns:
        round(fraction n), or the number removed already where that is more: a removed weight stays so.

    Raises:
        UserError: If the fraction is outside of its range, or if no weight would be left.
    """
    if not 0.0 <= fraction < 1.0:
        raise UserError(f"The fraction of weights to remove (={fraction}) must lie in [0, 1).")
    total = model.mu.numel()
    count = round(fraction * total)
    if count == total:
        raise UserError(f"The fraction of weights to remove (={fraction}) would leave none of {total}; take less.")
    return max(count, model.removed)


@torch.no_grad()
def kept_weights(model: BayesianModule, count: int) -> Tensor | None:
    """Which weights are left when the ``count`` of lowest ratio are removed; of equal ones, the first in the vector.

    Args:
        model: The Bayesian network.
        count: Number of weights removed in all, those removed already included, which come first.

    Returns:
        Shape (n,), bool; None where all are left.
    """
    if count == 0:
        return None
    # A weight of 0 without a spread is as good as removed.
    ratios = model.signal_to_noise().nan_to_num(nan=0.0, posinf=math.inf)
    if model.kept is not None:
        ratios.masked_fill_(~model.kept, -1.0)
    kept = torch.ones_like(ratios, dtype=torch.bool)
    kept[ratios.argsort(stable=True)[:count]] = False
    return kept


def prune(model: BayesianModule, fraction: float) -> None:
    """Remove a fraction of the weights for good. See :func:`removal` and :func:`kept_weights`."""
    model.kept = kept_weights(model, removal(model, fraction))


@contextmanager
def keeping(model: BayesianModule, kept: Tensor | None) -> Iterator[None]:
    """A context in which only those weights are left.

    Args:
        model: The Bayesian network.
        kept: Shape (n,), bool, or None for all.
    """
    before = model.kept
    model.kept = kept
    try:
        yield
    finally:
        model.kept = before
