"""Pictures, predictions and progress, as Lightning callbacks."""

from lightning_vi.callbacks.learning_curves import LearningCurves as LearningCurves
from lightning_vi.callbacks.prediction_writer import PredictionWriter as PredictionWriter
from lightning_vi.callbacks.predictive_bands import PredictiveBands as PredictiveBands
from lightning_vi.callbacks.progress_bar import ProgressBar as ProgressBar
from lightning_vi.callbacks.reliability_diagram import ReliabilityDiagram as ReliabilityDiagram
from lightning_vi.callbacks.signal_to_noise import SignalToNoise as SignalToNoise
from lightning_vi.callbacks.uncertain_images import UncertainImages as UncertainImages
