import math

import torch
from torch import Tensor, nn
from torch import distributions as dist

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import Likelihood, at_least_float32


class Gaussian(Likelihood):
    """A vector with the same noise everywhere: p(y | f) = N(y | f, sigma^2 I).

    Targets are floats (B, D). `log_sigma`, a scalar, is a buffer if the noise is fixed and a parameter if
    it is learned: a state dict of one loads into the other.
    """

    log_sigma: Tensor

    def __init__(self, sigma: float = 1.0, learn: bool = False) -> None:
        """A Gaussian of standard deviation sigma.

        Args:
            sigma: standard deviation of the noise, in units of the target; the start if it is learned.
            learn: whether log sigma is trained along with the network, by maximum likelihood.

        Raises:
            UserError: unless sigma is positive and finite.
        """
        super().__init__()
        if not 0.0 < sigma < math.inf:
            raise UserError(f"Gaussian: sigma (={sigma}) must be positive and finite.")
        log_sigma = torch.tensor(math.log(sigma))
        if learn:
            self.log_sigma = nn.Parameter(log_sigma)
        else:
            self.register_buffer("log_sigma", log_sigma)

    @property
    def sigma(self) -> Tensor:
        """The standard deviation of the noise, a scalar tensor; at least e^-40, whose square is not 0 in float32."""
        return self.log_sigma.clamp(min=-40.0).exp()

    def output_size(self, target_size: int) -> int:
        """See `Likelihood.output_size`: D outputs for D dimensions."""
        if target_size < 1:
            raise UserError(f"Gaussian: target_size (={target_size}) must be at least 1.")
        return target_size

    def forward(self, outputs: Tensor) -> dist.Independent[dist.Normal]:
        """See `Likelihood.forward`: outputs (..., B, D) are means; event shape (D,)."""
        normal = dist.Normal(at_least_float32(outputs), self.sigma, validate_args=False)
        return dist.Independent(normal, 1, validate_args=False)

    def outputs_of(self, mean: Tensor, variance: Tensor) -> Tensor:
        """See `Likelihood.outputs_of`: the mean."""
        return mean

    def extra_repr(self) -> str:
        """See `torch.nn.Module.extra_repr`."""
        return f"sigma={self.sigma.item():.4g}, learn={self.log_sigma.requires_grad}"
