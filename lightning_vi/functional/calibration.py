r"""Calibration by bins of equal mass.

ECE over bins of equal width puts nearly all predictions of a good classifier into its last bin. Here each of the bins b
holds the same number of predictions, up to one, in the order of their confidence:

.. math:: \sum_b \frac{n_b}{N} |\mathrm{acc}_b - \mathrm{conf}_b|.

References:
    Nguyen and O'Connor (2015), Posterior calibration and exploratory analysis for natural language processing models.
    Mukhoti et al. (2020), Calibrating Deep Neural Networks using Focal Loss, who call it adaptive ECE.
"""

import torch
from torch import Tensor

from lightning_vi.functional.ranking import ranked


def adaptive_calibration_error(confidence: Tensor, correct: Tensor, bins: int = 15) -> Tensor:
    """The error in [0, 1], shape ().

    Args:
        confidence: Probabilities of the predicted classes, (N,).
        correct: (N,), 1 where the prediction is right, else 0.
        bins: Their number; of fewer than that many predictions each has a bin of its own.
    """
    confidence, right = ranked(confidence, correct)
    size = len(confidence)
    index = torch.arange(size, device=confidence.device) * bins // size
    gaps = confidence.new_zeros(bins).index_add(0, index, right - confidence)
    return gaps.abs().sum() / size
