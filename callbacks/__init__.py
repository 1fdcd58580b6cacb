"""Pictures, predictions and progress, as Lightning callbacks."""

from lightning_vi.callbacks.generated_images import GeneratedImages as GeneratedImages
from lightning_vi.callbacks.interpolations import Interpolations as Interpolations
from lightning_vi.callbacks.latent_codes import LatentCodes as LatentCodes
from lightning_vi.callbacks.latent_manifold import LatentManifold as LatentManifold
from lightning_vi.callbacks.latent_traversals import LatentTraversals as LatentTraversals
from lightning_vi.callbacks.latent_usage import LatentUsage as LatentUsage
from lightning_vi.callbacks.learned_map import LearnedMap as LearnedMap
from lightning_vi.callbacks.learning_curves import LearningCurves as LearningCurves
from lightning_vi.callbacks.nearest_training_images import NearestTrainingImages as NearestTrainingImages
from lightning_vi.callbacks.prediction_writer import PredictionWriter as PredictionWriter
from lightning_vi.callbacks.predictive_bands import PredictiveBands as PredictiveBands
from lightning_vi.callbacks.principal_components import PrincipalComponents as PrincipalComponents
from lightning_vi.callbacks.prior_samples import PriorSamples as PriorSamples
from lightning_vi.callbacks.progress_bar import ProgressBar as ProgressBar
from lightning_vi.callbacks.reconstructions import Reconstructions as Reconstructions
from lightning_vi.callbacks.reliability_diagram import ReliabilityDiagram as ReliabilityDiagram
from lightning_vi.callbacks.run_lock import RunLock as RunLock
from lightning_vi.callbacks.samples_over_epochs import SamplesOverEpochs as SamplesOverEpochs
from lightning_vi.callbacks.signal_to_noise import SignalToNoise as SignalToNoise
from lightning_vi.callbacks.uncertain_images import UncertainImages as UncertainImages
