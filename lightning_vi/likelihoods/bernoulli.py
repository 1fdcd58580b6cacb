from torch import Tensor
from torch import distributions as dist

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
