"""Scores of the order in which a classifier is confident."""

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lightning_vi.functional.calibration import adaptive_calibration_error
from lightning_vi.functional.selective import area_under_risk_coverage


class Confidences(Metric):
    """``ece_adaptive``: calibration error by 15 bins of equal mass. ``aurc``: area under the risk-coverage curve.

    Both in [0, 1] and of the confidence max_k p_k, whose order over all examples of all devices they need: it is kept
    for each example, with whether it is right.
    """

    full_state_update = False
    confidence: list[Tensor]
    correct: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("confidence", default=[], dist_reduce_fx="cat")
        self.add_state("correct", default=[], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Add B examples; probabilities (B, K), targets (B,)."""
        confidence, predicted = probabilities.max(dim=-1)
        self.confidence.append(confidence)
        self.correct.append((predicted == targets).to(confidence.dtype))

    def compute(self) -> dict[str, Tensor]:
        """Name to score, shape ()."""
        confidence, correct = dim_zero_cat(self.confidence), dim_zero_cat(self.correct)
        return {
            "ece_adaptive": adaptive_calibration_error(confidence, correct),
            "aurc": area_under_risk_coverage(confidence, correct),
        }
