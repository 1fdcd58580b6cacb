"""Priors over weights."""

from lightning_vi.priors.gaussian import Gaussian as Gaussian
from lightning_vi.priors.prior import Prior as Prior
from lightning_vi.priors.scale_mixture import ScaleMixture as ScaleMixture
