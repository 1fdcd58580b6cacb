"""Priors over weights."""

from lightning_vi.priors.by_name import ByName as ByName
from lightning_vi.priors.fan_in_gaussian import FanInGaussian as FanInGaussian
from lightning_vi.priors.gaussian import Gaussian as Gaussian
from lightning_vi.priors.prior import Prior as Prior
from lightning_vi.priors.rule import PriorRule as PriorRule
from lightning_vi.priors.scale_mixture import ScaleMixture as ScaleMixture
