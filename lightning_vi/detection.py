"""Telling examples of another distribution by the uncertainty of their predictions.

An example counts as out-of-distribution where its uncertainty exceeds a threshold; the scores are over all thresholds.
Out-of-distribution examples are the positive class:

- AUROC: the probability that such an example is more uncertain than one of the test split; equals count half.
- AUPR: average precision, whose value for a blind guess is the share of out-of-distribution examples.
- FPR95: the share of the test split above the highest threshold that catches 95 % of the others; lower is better.

References:
    Hendrycks and Gimpel (2017), A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural
    Networks. Hendrycks, Mazeika and Dietterich (2019), Deep Anomaly Detection with Outlier Exposure, section 4 (FPR95).
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_specificity_at_sensitivity,
)
from torchmetrics.utilities import dim_zero_cat

from lightning_vi.predictive import Predictive

UNCERTAINTIES = ("entropy", "max_probability", "mutual_information")
"""Entropy of the predictive distribution, 1 - max_k p_k, and mutual information of class and weights."""


class Detection(Metric):
    """Scores of each of :data:`UNCERTAINTIES`, e.g. ``auroc_entropy``, ``aupr_entropy``, ``fpr95_entropy``.

    A single network has no mutual information, and no scores of it.
    """

    full_state_update = False
    uncertainty: list[Tensor]
    is_other: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("uncertainty", default=[], dist_reduce_fx="cat")
        self.add_state("is_other", default=[], dist_reduce_fx="cat")

    def update(self, predictive: Predictive, is_other: bool) -> None:
        """Add B examples, all of the test split or all of the other distribution."""
        columns = [predictive.entropy, 1 - predictive.probabilities.amax(dim=-1)]
        if len(predictive.outputs) > 1:
            columns.append(predictive.mutual_information)
        self.uncertainty.append(torch.stack(columns, dim=-1))
        self.is_other.append(torch.full_like(columns[0], is_other))

    def compute(self) -> dict[str, Tensor]:
        """Name to score in [0, 1], shape ()."""
        columns, is_other = dim_zero_cat(self.uncertainty).unbind(dim=-1), dim_zero_cat(self.is_other)
        return {
            f"{score}_{name}": value
            for name, column in zip(UNCERTAINTIES, columns, strict=False)
            for score, value in detection_scores(column, is_other).items()
        }


def detection_scores(uncertainty: Tensor, is_other: Tensor) -> dict[str, Tensor]:
    """``auroc``, ``aupr`` and ``fpr95`` in [0, 1], each of shape ().

    Args:
        uncertainty: (N,), real.
        is_other: (N,), 1 for out-of-distribution, else 0; some of each.
    """
    # torchmetrics takes numbers outside [0, 1] for logits, and its sigmoid makes equals of what is nearly equal.
    values, ranks = uncertainty.unique(return_inverse=True)
    position, is_other = ranks / len(values), is_other.long()
    specificity, _ = binary_specificity_at_sensitivity(position, is_other, min_sensitivity=0.95, validate_args=False)
    return {
        "auroc": binary_auroc(position, is_other, validate_args=False),
        "aupr": binary_average_precision(position, is_other, validate_args=False),
        "fpr95": 1 - specificity,
    }
