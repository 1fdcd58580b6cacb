r"""Selective prediction: the error of a classifier that rejects what it is least confident of.

With the N examples in the order of falling confidence and errors e_i in {0, 1}, the k first have the risk

.. math:: r_k = \frac1k \sum_{i=1}^k e_i, \qquad \mathrm{AURC} = \frac1N \sum_{k=1}^N r_k,

the area under the risk-coverage curve. A classifier with error e that rejects at random has AURC = e.

References:
    Geifman, Uziel and El-Yaniv (2019), Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers. Nadeem, Zucker
    and Hanczar (2010), Accuracy-Rejection Curves for Comparing Classification Methods with a Reject Option.
"""

import torch
from torch import Tensor

from lightning_vi.functional.ranking import ranked


def selective_risks(confidence: Tensor, correct: Tensor) -> Tensor:
    """r_1, ..., r_N in [0, 1], shape (N,): the share of errors among the k most confident predictions.

    Args:
        confidence: (N,), real.
        correct: (N,), 1 where the prediction is right, else 0.
    """
    _, right = ranked(confidence, correct)
    return (1 - right).cumsum(0) / torch.arange(1, len(right) + 1, device=right.device)


def area_under_risk_coverage(confidence: Tensor, correct: Tensor) -> Tensor:
    """AURC in [0, 1], shape (); arguments as of :func:`selective_risks`."""
    return selective_risks(confidence, correct).mean()
