"""Scores of latent variable models, kept by torchmetrics, so that they are exact over batches and devices."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lightning_vi.marginal import Evaluation

ACTIVE = 0.01  # variance of a posterior mean, Burda et al. 2016, section 5.2


class LatentUnits(NamedTuple):
    """How much a layer's latent variables are used.

    Attributes:
        kl: Mean KL of each, shape (D,), nats.
        variance: Variance over examples of the mean of q, shape (D,); the unit is active if it exceeds ACTIVE.
    """

    kl: Tensor
    variance: Tensor

    @property
    def active(self) -> Tensor:
        """Which are active, shape (D,), bool."""
        return self.variance > ACTIVE


class LatentSummary(NamedTuple):
    """What is said of all examples.

    Attributes:
        scores: Name to score, shape ().
        units: Of each layer.
    """

    scores: dict[str, Tensor]
    units: list[LatentUnits]


class LatentScores(Metric):
    """``nll`` and its standard error ``nll_se``, ``elbo``, ``reconstruction``, ``kl`` and ``active_units``.

    All but the last are in nats per example. Layers above the first have ``active_units_2``, ...

    Of dequantised data x' = (v + u) / L, with levels v = 0, ..., L - 1 and u uniform in [0, 1), also ``bits_per_dim``,
    nll / (D log 2) + log2 L, which bounds -log2 P(v) / D from above, and the median over examples,
    ``bits_per_dim_median``: single examples can dominate the mean.

    Args:
        sizes: Latent variables of each layer.
        dimensions: D, of one example.
        levels: L; None if the data are not dequantised.

    References:
        Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, section 5.2 (active units). Theis, van den
        Oord, Bethge 2016, A Note on the Evaluation of Generative Models, section 3.1 (dequantisation).
    """

    full_state_update = False
    nlls: list[Tensor]
    elbo: Tensor
    reconstruction: Tensor
    kl: Tensor
    means: Tensor
    squares: Tensor

    def __init__(self, sizes: Sequence[int], dimensions: int, levels: int | None = None) -> None:
        super().__init__()
        self.sizes, self.dimensions, self.levels = tuple(sizes), dimensions, levels
        self.add_state("nlls", [], dist_reduce_fx="cat")
        for name in ("elbo", "reconstruction"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")
        for name in ("kl", "means", "squares"):
            self.add_state(name, torch.zeros(sum(sizes)), dist_reduce_fx="sum")

    def update(self, evaluation: Evaluation) -> None:
        """Add B examples."""
        means = torch.cat(evaluation.means, dim=-1)
        self.nlls.append(evaluation.nll)
        # Not in place: the sums of a test before a training are inference tensors.
        self.elbo = self.elbo + evaluation.elbo.sum()
        self.reconstruction = self.reconstruction + evaluation.reconstruction.sum()
        self.kl = self.kl + torch.cat(evaluation.kl, dim=-1).sum(dim=0)
        self.means = self.means + means.sum(dim=0)
        # Draws scatter the mean of an upper layer; what they add to its variance over examples is taken off.
        self.squares = self.squares + (means.square() - torch.cat(evaluation.means_variance, dim=-1)).sum(dim=0)

    def compute(self) -> LatentSummary:
        """Over all examples of all devices."""
        nlls = dim_zero_cat(self.nlls)
        count = len(nlls)
        variance = self.squares / count - (self.means / count).square()
        parts = zip((self.kl / count).split(self.sizes), variance.split(self.sizes), strict=True)
        units = [LatentUnits(*part) for part in parts]
        scores = {
            "nll": nlls.mean(),
            "nll_se": (nlls.var(correction=0) / max(1, count - 1)).sqrt(),
            "elbo": self.elbo / count,
            "reconstruction": self.reconstruction / count,
            "kl": self.kl.sum() / count,
        }
        for number, each in enumerate(units, start=1):
            scores["active_units" if number == 1 else f"active_units_{number}"] = each.active.sum().to(nlls)
        if self.levels is not None:
            for name, nll in {"bits_per_dim": nlls.mean(), "bits_per_dim_median": nlls.median()}.items():
                scores[name] = nll / (self.dimensions * math.log(2.0)) + math.log2(self.levels)
        return LatentSummary(scores, units)
