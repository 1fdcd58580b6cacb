import torch
from torch import Tensor
from torch import distributions as dist
from torch.nn import functional

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import Likelihood, at_least_float32


class Bernoulli(Likelihood):
    """D binary values: p(y | f) = prod_d s(f_d)^y_d (1 - s(f_d))^(1 - y_d), s(t) = 1 / (1 + exp(-t)).

    Targets (B, D) are floats in {0, 1}. Values between them, such as grey pixels, are accepted too: the
    same expression is then the cross-entropy against a probability, no longer a normalised density.
    """

    def output_size(self, target_size: int) -> int:
        """See `Likelihood.output_size`: D outputs for D binary values."""
        if target_size < 1:
            raise UserError(f"Bernoulli: target_size (={target_size}) must be at least 1.")
        return target_size

    def forward(self, outputs: Tensor) -> dist.Independent[dist.Bernoulli]:
        """See `Likelihood.forward`: outputs (..., B, D) are logits; event shape (D,)."""
        bernoulli = dist.Bernoulli(logits=at_least_float32(outputs), validate_args=False)
        return dist.Independent(bernoulli, 1, validate_args=False)

    def outputs_of(self, mean: Tensor, variance: Tensor) -> Tensor:
        """See `Likelihood.outputs_of`: the logit of the mean, which is first cut to [0.001, 0.999].

        Raises:
            UserError: if a mean lies outside [0, 1], since such targets have no probability.
        """
        if mean.min() < 0 or mean.max() > 1:
            raise UserError(
                f"Bernoulli: targets must lie in [0, 1], but their means lie in [{mean.min():.4g}, {mean.max():.4g}]. "
                "For pixels set scaling to UnitInterval, and a transform such as StochasticBinarisation."
            )
        return torch.logit(mean.clamp(0.001, 0.999))

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Likelihood.nll`; as sum_d log(1 + exp(f_d)) - y_d f_d, several times as fast as the cross-entropy."""
        logits = at_least_float32(outputs)
        self.require_fit(outputs, targets, logits.shape[-2:])
        return (functional.softplus(logits, threshold=40.0) - logits * targets).sum(dim=-1)
