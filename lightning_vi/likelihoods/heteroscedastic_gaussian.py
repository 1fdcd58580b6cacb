from torch import Tensor
from torch import distributions as dist

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import Likelihood, at_least_float32


class HeteroscedasticGaussian(Likelihood):
    """A vector whose noise depends on the input: p(y | f) = N(y | m, diag(exp(rho))) with f = (m, rho).

    Targets are floats (B, D). The first D outputs are the mean m, the last D the logarithms rho of the
    variances (not of the standard deviations), as the lecture writes its decoder.

    References:
        Nix, Weigend 1994, Estimating the mean and variance of the target probability distribution.
        Kingma, Welling 2014, Auto-Encoding Variational Bayes, appendix C.2.
    """

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
        normal = dist.Normal(mean, (0.5 * rho).exp(), validate_args=False)
        return dist.Independent(normal, 1, validate_args=False)
