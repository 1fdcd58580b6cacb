from typing import NamedTuple

from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.distributions import Categorical

from lightning_vi.predictive import Predictive


class ClassPredictions(NamedTuple):
    """A batch of a classifier's predictions, and the truth.

    Attributes:
        probabilities: (B, K).
        entropy: (B,), nats.
        targets: (B,), int64.
    """

    probabilities: Tensor
    entropy: Tensor
    targets: Tensor


def class_predictions(outputs: STEP_OUTPUT) -> ClassPredictions | None:
    """What a test step returned, if it is `{"predictive": ..., "targets": ...}` and predicts classes; else None."""
    if not isinstance(outputs, dict):
        return None
    predictive, targets = outputs.get("predictive"), outputs.get("targets")
    if not isinstance(predictive, Predictive) or not isinstance(predictive.conditional, Categorical):
        return None
    assert isinstance(targets, Tensor)
    return ClassPredictions(predictive.probabilities, predictive.entropy, targets)
