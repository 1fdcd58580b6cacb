"""Blundell's parameterisation: sigma = log(1 + e^rho).

References:
    Blundell, Cornebise, Kavukcuoglu and Wierstra (2015), Weight Uncertainty in Neural Networks, section 3.2.
"""

from torch import Tensor

from lightning_vi.functional.elementary import softplus_and_slope
from lightning_vi.posteriors.factorised_gaussian import FactorisedGaussian, inverse_softplus


class SoftplusScale(FactorisedGaussian):
    """A factorised Gaussian with standard deviation sigma = log(1 + e^rho). See :class:`FactorisedGaussian`."""

    @property
    def initial_rho(self) -> float:
        """See :attr:`FactorisedGaussian.initial_rho`."""
        return inverse_softplus(self.initial_sigma)

    def sigma_and_slope(self, rho: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FactorisedGaussian.sigma_and_slope`."""
        return softplus_and_slope(rho)
