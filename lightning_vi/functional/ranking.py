"""Predictions in the order of their confidence, whatever order they came in.

Confidences are often equal: in float32 many a probability is exactly 1. No order among equals means anything, so each
of them counts as right by the share of them that is. What is computed from the order is then the same for any batches
and devices; a sum along the order is its mean over all orders of the equals.
"""

import torch
from torch import Tensor


def ranked(confidence: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Confidences in descending order, and how right each is.

    Args:
        confidence: (N,), real.
        correct: (N,), 1 where the prediction is right, else 0.

    Returns:
        Confidences and shares of right ones in [0, 1], each (N,) and of the confidences' type.
    """
    confidence, order = confidence.sort(descending=True)
    right = correct[order].to(confidence.dtype)
    _, group, sizes = torch.unique_consecutive(confidence, return_inverse=True, return_counts=True)
    shares = right.new_zeros(len(sizes)).index_add(0, group, right) / sizes
    return confidence, shares[group]
