"""The lecture's parameterisation: sigma^2 = log(1 + e^rho)."""

from torch import Tensor

from lightning_vi.functional.elementary import softplus_and_slope
from lightning_vi.posteriors.factorised_gaussian import FactorisedGaussian, inverse_softplus


class SoftplusVariance(FactorisedGaussian):
    """A factorised Gaussian with variance sigma^2 = log(1 + e^rho). See :class:`FactorisedGaussian`."""

    @property
    def initial_rho(self) -> float:
        """See :attr:`FactorisedGaussian.initial_rho`."""
        return inverse_softplus(self.initial_sigma**2)

    def sigma_and_slope(self, rho: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FactorisedGaussian.sigma_and_slope`; d sigma / d rho = (d sigma^2 / d rho) / (2 sigma)."""
        variance, slope = softplus_and_slope(rho)
        sigma = variance.sqrt()
        return sigma, 0.5 * slope / sigma
