"""Variational posteriors over weights."""

from lightning_vi.posteriors.factorised_gaussian import FactorisedGaussian as FactorisedGaussian
from lightning_vi.posteriors.softplus_scale import SoftplusScale as SoftplusScale
from lightning_vi.posteriors.softplus_variance import SoftplusVariance as SoftplusVariance
