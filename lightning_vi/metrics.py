"""Which scores a likelihood asks for, kept by torchmetrics, so that they are exact over batches and devices."""

from abc import ABC, abstractmethod
from functools import singledispatch

from torch import Tensor, nn
from torchmetrics import MeanMetric, MeanSquaredError
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy, MulticlassCalibrationError

from lightning_vi.confidences import Confidences
from lightning_vi.errors import UserError
from lightning_vi.functional.scores import brier_score
from lightning_vi.interval_coverage import IntervalCoverage
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, HeteroscedasticGaussian, Likelihood, Standardised
from lightning_vi.predictive import Predictive


class Scores(nn.Module, ABC):
    """Scores of predictive distributions, accumulated over batches.

    Attributes:
        headline: Name of the score that a run is judged by.
    """

    headline: str

    @abstractmethod
    def update(self, predictive: Predictive, targets: Tensor) -> None:
        """Add B examples; targets (B,) or (B, D)."""

    @abstractmethod
    def compute(self) -> dict[str, Tensor]:
        """Name to score, shape (), over all examples of all devices."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all examples."""


class ClassificationScores(Scores):
    """Scores of class probabilities.

    ``error``: share of wrong classes, in percent. ``nll``: nats per example. ``ece``: expected calibration error, 15
    bins, in [0, 1]. ``brier``: squared error of the probability vector, summed over classes, in [0, 2]. Those of
    :class:`Confidences`: ``ece_adaptive`` and ``aurc``.

    Args:
        classes: Number of classes K.

    References:
        Guo et al. (2017), On Calibration of Modern Neural Networks, section 2. Brier (1950).
    """

    headline = "error"

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(classes, average="micro", validate_args=False)
        self.calibration = MulticlassCalibrationError(classes, n_bins=15, validate_args=False)
        self.confidences = Confidences()
        self.nll = MeanMetric()
        self.brier = MeanMetric()

    def update(self, predictive: Predictive, targets: Tensor) -> None:
        """See :meth:`Scores.update`; targets (B,)."""
        self.nll.update(predictive.nll(targets))  # first, since it refuses targets that do not fit
        probabilities = predictive.probabilities
        self.accuracy.update(probabilities, targets)
        self.calibration.update(probabilities, targets)
        self.confidences.update(probabilities, targets)
        self.brier.update(brier_score(probabilities, targets))

    def compute(self) -> dict[str, Tensor]:
        """See :meth:`Scores.compute`."""
        return {
            "error": 100.0 * (1.0 - self.accuracy.compute()),
            "nll": self.nll.compute(),
            "ece": self.calibration.compute(),
            "brier": self.brier.compute(),
            **self.confidences.compute(),
        }

    def reset(self) -> None:
        """See :meth:`Scores.reset`."""
        for metric in (self.accuracy, self.calibration, self.confidences, self.nll, self.brier):
            metric.reset()


class RegressionScores(Scores):
    """Scores of vector targets.

    ``rmse`` of the predictive mean, over all dimensions; ``nll`` in nats per example; ``crps`` in units of the target,
    the mean over all dimensions; and the coverages of :class:`IntervalCoverage`.

    References:
        Gneiting and Raftery (2007), Strictly Proper Scoring Rules, Prediction, and Estimation.
    """

    headline = "rmse"

    def __init__(self) -> None:
        super().__init__()
        self.rmse = MeanSquaredError(squared=False)
        self.nll = MeanMetric()
        self.crps = MeanMetric()
        self.coverage = IntervalCoverage()

    def update(self, predictive: Predictive, targets: Tensor) -> None:
        """See :meth:`Scores.update`; targets (B, D)."""
        self.nll.update(predictive.nll(targets))  # first, since it refuses targets that do not fit
        self.rmse.update(predictive.mean.contiguous(), targets)
        self.crps.update(predictive.crps(targets))
        self.coverage.update(predictive.cdf(targets))

    def compute(self) -> dict[str, Tensor]:
        """See :meth:`Scores.compute`."""
        return {
            "rmse": self.rmse.compute(),
            "nll": self.nll.compute(),
            "crps": self.crps.compute(),
            **self.coverage.compute(),
        }

    def reset(self) -> None:
        """See :meth:`Scores.reset`."""
        for metric in (self.rmse, self.nll, self.crps, self.coverage):
            metric.reset()


class BinaryScores(Scores):
    """Scores of vectors of bits: ``error``, the share of wrong bits in percent; ``nll``, nats per example."""

    headline = "error"

    def __init__(self) -> None:
        super().__init__()
        self.accuracy = BinaryAccuracy(validate_args=False)
        self.nll = MeanMetric()

    def update(self, predictive: Predictive, targets: Tensor) -> None:
        """See :meth:`Scores.update`; targets (B, D) in {0, 1}."""
        self.nll.update(predictive.nll(targets))  # first, since it refuses targets that do not fit
        self.accuracy.update(predictive.mean, targets.long())

    def compute(self) -> dict[str, Tensor]:
        """See :meth:`Scores.compute`."""
        return {"error": 100.0 * (1.0 - self.accuracy.compute()), "nll": self.nll.compute()}

    def reset(self) -> None:
        """See :meth:`Scores.reset`."""
        self.accuracy.reset()
        self.nll.reset()


@singledispatch
def scores_for(likelihood: Likelihood, target_size: int) -> Scores:
    """The scores that go with a likelihood; ``scores_for.register`` adds those of a likelihood of your own.

    Args:
        likelihood: Its type decides.
        target_size: Number of classes, or dimension of the target.
    """
    raise UserError(
        f"{type(likelihood).__name__} has no scores: register some with lightning_vi.metrics.scores_for.register."
    )


@scores_for.register
def _(likelihood: Categorical, target_size: int) -> Scores:
    return ClassificationScores(target_size)


@scores_for.register
def _(likelihood: Bernoulli, target_size: int) -> Scores:
    return BinaryScores()


@scores_for.register(Gaussian)
@scores_for.register(HeteroscedasticGaussian)
@scores_for.register(Standardised)
def _(likelihood: Likelihood, target_size: int) -> Scores:
    return RegressionScores()
