"""Estimators of the evidence lower bound and its gradient."""

from lightning_vi.estimators.estimator import Estimate as Estimate
from lightning_vi.estimators.estimator import Estimator as Estimator
from lightning_vi.estimators.flipout import Flipout as Flipout
from lightning_vi.estimators.local_reparameterisation import (
    LocalReparameterisation as LocalReparameterisation,
)
from lightning_vi.estimators.weight_sampling import WeightSampling as WeightSampling
