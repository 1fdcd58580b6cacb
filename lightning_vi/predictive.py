r"""The predictive distribution, by averaging probabilities over draws of the weights.

.. math:: p(y^* \mid x^*, D) \approx \frac1M \sum_{j=1}^M p(y^* \mid f_{W_j}(x^*)), \qquad W_j \sim q(W).

It is the densities that are averaged, never logits or log densities. The uncertainty of a class splits into the
expected entropy of the draws (aleatoric: they agree that it is open) and the mutual information of class and weights
(epistemic: they disagree).

References:
    Lecture 13, Bayes by Backprop, prediction. Depeweg et al. (2018), Decomposition of Uncertainty in Bayesian Deep
    Learning, section 3.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.functional.crps import gaussian_mixture_crps
from lightning_vi.likelihoods import Likelihood


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
        return self.conditional.mean.mean(dim=0)

    @property
    def aleatoric_variance(self) -> Tensor:
        """Mean over draws of the noise variance, shape (B, D)."""
        return self.conditional.variance.mean(dim=0)

    @property
    def epistemic_variance(self) -> Tensor:
        """Variance over draws of the mean, shape (B, D); 0 for one draw."""
        return self.conditional.mean.var(dim=0, correction=0)

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
        """
        normal = self._normal()
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

    def _categorical(self) -> Categorical:
        if not isinstance(self.conditional, Categorical):
            raise UserError(f"{type(self.likelihood).__name__} has no class probabilities; use mean and variance.")
        return self.conditional

    def _normal(self) -> Normal:
        if isinstance(self.conditional, Independent) and isinstance(self.conditional.base_dist, Normal):
            return self.conditional.base_dist
        name = type(self.likelihood).__name__
        raise UserError(f"{name} has no quantiles, cdf or CRPS; they need a Gaussian likelihood.")


@torch.no_grad()
def sampled_outputs(model: BayesianModule, inputs: Tensor, draws: int) -> Tensor:
    """Outputs under the evaluation stream's first ``draws`` weight draws.

    The draws are the same for every batch and on every device, so a test set is predicted with M networks, and its
    result does not depend on how it is cut into batches.

    Args:
        model: The Bayesian network.
        inputs: Shape (B, ...).
        draws: M.

    Returns:
        Shape (M, B, ...).

    Raises:
        UserError: If ``draws`` is not positive.
    """
    if draws < 1:
        raise UserError(f"draws (={draws}) must be at least 1.")
    noise = model.noise.evaluation()
    return model.outputs(inputs, (model.sample(noise) for _ in range(draws)), draws)
