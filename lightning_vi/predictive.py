r"""The predictive distribution, by averaging probabilities over draws of the weights.

.. math:: p(y^* \mid x^*, D) \approx \frac1M \sum_{j=1}^M p(y^* \mid f_{W_j}(x^*)), \qquad W_j \sim q(W).

It is the densities that are averaged, never logits or log densities. A deep ensemble, or dropout that goes on drawing
masks, gives other W_j; a single network is M = 1. The uncertainty of a class splits into the
expected entropy of the draws (aleatoric: they agree that it is open) and the mutual information of class and weights
(epistemic: they disagree).

References:
    Lecture 13, Bayes by Backprop, prediction. Depeweg et al. (2018), Decomposition of Uncertainty in Bayesian Deep
    Learning, section 3.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.functional.crps import gaussian_mixture_crps
from lightning_vi.likelihoods import Likelihood

Draws = int | Literal["mean"]
"""How many networks are drawn, or the one at the mean of the weights."""

Drawn = Callable[[Tensor], Tensor]
"""Some s networks with their weights: inputs (B, ...) to outputs (s, B, output_size)."""


class Predictive:
    """p(y | x, D) for B inputs, as a mixture of S draws with equal shares.

    Args:
        likelihood: Turns outputs into distributions of targets.
        outputs: Shape (S, B, output_size), of the network under S weight draws; S = 1 for a single network.
    """

    def __init__(self, likelihood: Likelihood, outputs: Tensor) -> None:
        self.likelihood = likelihood
        self.outputs = outputs
        self.conditional: Distribution = likelihood(outputs)

    def __repr__(self) -> str:
        draws, inputs = self.outputs.shape[:2]
        return f"Predictive({type(self.likelihood).__name__}, draws={draws}, inputs={inputs})"

    def nll(self, targets: Tensor) -> Tensor:
        """-log p(y | x, D), shape (B,), nats per example; targets (B,) or (B, D)."""
        log_probs = -self.likelihood.nll(self.outputs, targets)
        return math.log(log_probs.shape[0]) - torch.logsumexp(log_probs, dim=0)

    @property
    def probabilities(self) -> Tensor:
        """Class probabilities, shape (B, K)."""
        return self._categorical().probs.mean(dim=0)

    @property
    def entropy(self) -> Tensor:
        """Entropy of the averaged class probabilities, shape (B,), nats: total uncertainty."""
        entropy: Tensor = Categorical(probs=self.probabilities, validate_args=False).entropy()
        return entropy

    @property
    def expected_entropy(self) -> Tensor:
        """Mean over draws of the class entropy, shape (B,), nats: aleatoric uncertainty."""
        entropies: Tensor = self._categorical().entropy()
        return entropies.mean(dim=0)

    @property
    def mutual_information(self) -> Tensor:
        """Mutual information of class and weights, shape (B,), nats: epistemic uncertainty; 0 for one draw."""
        return (self.entropy - self.expected_entropy).clamp(min=0.0)

    @property
    def mean(self) -> Tensor:
        """E[y | x, D] of a vector target, shape (B, D)."""
        return self._vector().mean.mean(dim=0)

    @property
    def aleatoric_variance(self) -> Tensor:
        """Mean over draws of the noise variance, shape (B, D)."""
        return self._vector().variance.mean(dim=0)

    @property
    def epistemic_variance(self) -> Tensor:
        """Variance over draws of the mean, shape (B, D); 0 for one draw."""
        return self._vector().mean.var(dim=0, correction=0)

    @property
    def variance(self) -> Tensor:
        """Var[y | x, D] of a vector target, shape (B, D)."""
        return self.aleatoric_variance + self.epistemic_variance

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """Quantiles of each dimension of a Gaussian target, by bisection of the mixture's distribution function.

        Args:
            levels: Q numbers in (0, 1).

        Returns:
            Shape (Q, B, D).

        Raises:
            UserError: If the target is not Gaussian, or for a level outside (0, 1).
        """
        normal = self._normal()
        for each in levels:
            if not 0.0 < each < 1.0:
                raise UserError(f"quantiles: levels (={each}) must lie in (0, 1).")
        level = torch.tensor(levels, dtype=normal.mean.dtype, device=normal.mean.device).view(-1, 1, 1)
        # A quantile of a mixture lies between the least and the greatest of its components' quantiles.
        bounds: Tensor = normal.icdf(level.unsqueeze(1))
        low, high = bounds.amin(dim=1), bounds.amax(dim=1)
        for _ in range(50):
            middle = 0.5 * (low + high)
            below = normal.cdf(middle.unsqueeze(1)).mean(dim=1) < level
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return 0.5 * (low + high)

    def cdf(self, targets: Tensor) -> Tensor:
        """F(y | x, D) of each dimension of a Gaussian target, shape (B, D); targets (B, D).

        Of a calibrated predictive distribution these levels are uniform on [0, 1] (probability integral transform).
        """
        normal = self._normal()
        self.likelihood.require_fit(self.outputs, targets, normal.mean.shape[1:])
        levels: Tensor = normal.cdf(targets)
        return levels.mean(dim=0)

    def crps(self, targets: Tensor) -> Tensor:
        """CRPS of each dimension of a Gaussian target, shape (B, D), in its units; targets (B, D)."""
        normal = self._normal()
        self.likelihood.require_fit(self.outputs, targets, normal.mean.shape[1:])
        return gaussian_mixture_crps(normal.mean, normal.stddev, targets)

    def interval(self, level: float) -> tuple[Tensor, Tensor]:
        """Central credible interval of each dimension of a Gaussian target, noise included.

        Args:
            level: Probability inside, in (0, 1); half of the rest lies on each side.

        Returns:
            Lower and upper ends, each (B, D).

        Raises:
            UserError: See :meth:`quantiles`.
        """
        if not 0.0 < level < 1.0:
            raise UserError(f"interval: level (={level}) must lie in (0, 1).")
        lower, upper = self.quantiles((0.5 - level / 2, 0.5 + level / 2))
        return lower, upper

    @torch.no_grad()
    def samples(self, count: int, seed: int = 0) -> Tensor:
        """Samples of y*, the lecture's empirical distribution: one of the draws, then y* ~ p(y | f_W(x)).

        All inputs of a sample share its draw, so that it is one of their joint distribution.

        Args:
            count: Number of samples.
            seed: Of the samples; PyTorch's own stream is left as it is.

        Returns:
            Shape (count, B) of classes or (count, B, D), on the CPU.
        """
        require_at_least("samples", 1, count=count)
        likelihood = copy.deepcopy(self.likelihood).cpu()
        with torch.random.fork_rng(devices=[]):  # torch.distributions draw from PyTorch's stream alone
            torch.default_generator.manual_seed(seed)
            chosen = torch.randint(len(self.outputs), (count,))
            sampled: Tensor = likelihood(self.outputs.cpu()[chosen]).sample()
        return sampled

    def _vector(self) -> Distribution:
        if isinstance(self.conditional, Categorical):
            raise UserError(
                f"{type(self.likelihood).__name__} has no mean and no variance; use probabilities and entropy."
            )
        return self.conditional

    def _categorical(self) -> Categorical:
        if not isinstance(self.conditional, Categorical):
            raise UserError(f"{type(self.likelihood).__name__} has no class probabilities; use mean and variance.")
        return self.conditional

    def _normal(self) -> Normal:
        if isinstance(self.conditional, Independent) and isinstance(self.conditional.base_dist, Normal):
            return self.conditional.base_dist
        name = type(self.likelihood).__name__
        raise UserError(f"{name} has no quantiles, cdf or CRPS; they need a Gaussian likelihood.")


def drawn_networks(model: BayesianModule, draws: Draws, seed: int | None = None) -> Iterator[Drawn]:
    """The network under weight draws of the evaluation stream, or at the posterior mean.

    The draws are the same for every batch and on every device, so a test set is predicted with M networks, and its
    result does not depend on how it is cut into batches.

    Args:
        model: The Bayesian network.
        draws: M, of which as many are yielded together as run side by side.
        seed: Of the weight noise; by default the model's.

    Raises:
        UserError: If the number of draws is not positive.
    """
    if draws == "mean":
        yield partial(model.outputs, draws=[model.mean()], count=1)
        return
    if draws < 1:
        raise UserError(f"draws (={draws}) must be at least 1.")
    noise = model.noise.evaluation()
    noise = noise if seed is None else replace(noise, seed=seed)
    at_once = model.at_once(draws, model.mu.device)
    for start in range(0, draws, at_once):
        weights = [model.sample(noise) for _ in range(min(at_once, draws - start))]
        yield partial(model.outputs, draws=weights, count=len(weights))


@torch.no_grad()
def sampled_outputs(model: BayesianModule, inputs: Tensor, draws: Draws) -> Tensor:
    """Outputs (M, B, ...) of :func:`drawn_networks` for inputs (B, ...)."""
    return torch.cat([network(inputs) for network in drawn_networks(model, draws)])
