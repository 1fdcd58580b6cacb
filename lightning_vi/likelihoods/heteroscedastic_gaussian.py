import math

import torch
from torch import Tensor
from torch import distributions as dist

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import Likelihood, at_least_float32


class HeteroscedasticGaussian(Likelihood):
    """A vector whose noise depends on the input: p(y | f) = N(y | m, diag(exp(rho) + s^2)) with f = (m, rho).

    Targets are floats (B, D). The first D outputs are the mean m, the last D the logarithms rho of the
    variances (not of the standard deviations), as the lecture writes its decoder. The floor s is 0 by default; without
    one the density grows without bound where a dimension never varies, such as a pixel at the border; or up to
    rho = -80, below which float32 has no variances.

    References:
        Nix, Weigend 1994, Estimating the mean and variance of the target probability distribution.
        Kingma, Welling 2014, Auto-Encoding Variational Bayes, appendix C.2.
    """

    def __init__(self, minimum_sigma: float = 0.0) -> None:
        """A Gaussian with its own noise for every input.

        Args:
            minimum_sigma: s, the least standard deviation, in units of the target.

        Raises:
            UserError: if it is negative or not finite.
        """
        super().__init__()
        if not 0.0 <= minimum_sigma < math.inf:
            raise UserError(
                f"HeteroscedasticGaussian: minimum_sigma (={minimum_sigma}) must be finite and not negative."
            )
        self.minimum_sigma = minimum_sigma

    def output_size(self, target_size: int) -> int:
        """See `Likelihood.output_size`: 2 D outputs for D dimensions."""
        if target_size < 1:
            raise UserError(f"HeteroscedasticGaussian: target_size (={target_size}) must be at least 1.")
        return 2 * target_size

    def forward(self, outputs: Tensor) -> dist.Independent[dist.Normal]:
        """See `Likelihood.forward`: outputs (..., B, 2 D) are means and log variances; event shape (D,).

        Raises:
            UserError: if the number of outputs is odd.
        """
        if outputs.shape[-1] % 2:
            raise UserError(
                f"HeteroscedasticGaussian: outputs (={outputs.shape[-1]}) must be an even number, a mean and "
                "a log variance per dimension. Give the network `output_size(target_size)` outputs."
            )
        mean, rho = at_least_float32(outputs).chunk(2, dim=-1)
        rho = rho.clamp(min=-80.0)
        sigma = (rho.exp() + self.minimum_sigma**2).sqrt() if self.minimum_sigma else (0.5 * rho).exp()
        return dist.Independent(dist.Normal(mean, sigma, validate_args=False), 1, validate_args=False)

    def outputs_of(self, mean: Tensor, variance: Tensor) -> Tensor:
        """See `Likelihood.outputs_of`: the means, and the logarithms of the variances above the floor's."""
        return torch.cat((mean, torch.log((variance - self.minimum_sigma**2).clamp(min=1e-8))))

    def scale_of(self, variance: Tensor) -> Tensor:
        """See `Likelihood.scale_of`: standard deviations for the means, 1 for the logarithms.

        A dimension that hardly varies has a narrow density. In its own units any disturbance of its mean by a latent
        variable would cost so much that the variable would not be used.
        """
        return torch.cat((variance.clamp(min=1e-8).sqrt(), torch.ones_like(variance)))

    def extra_repr(self) -> str:
        """See `torch.nn.Module.extra_repr`."""
        return f"minimum_sigma={self.minimum_sigma:.4g}"
