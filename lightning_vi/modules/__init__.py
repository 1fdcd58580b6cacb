"""LightningModules, and what keeps their steps finite."""

from lightning_vi.modules.autoencoder import Autoencoder as Autoencoder
from lightning_vi.modules.bayes_by_backprop import BayesByBackprop as BayesByBackprop
from lightning_vi.modules.deep_ensemble import DeepEnsemble as DeepEnsemble
from lightning_vi.modules.deep_ensemble import MeanField as MeanField
from lightning_vi.modules.finite_steps import FiniteSteps as FiniteSteps
from lightning_vi.modules.gan import GAN as GAN
from lightning_vi.modules.point_estimate import PointEstimate as PointEstimate
from lightning_vi.modules.supervised import SupervisedModule as SupervisedModule
from lightning_vi.modules.vae import VAE as VAE
