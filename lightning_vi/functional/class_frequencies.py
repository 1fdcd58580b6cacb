r"""How evenly generated images fall into K classes, f_c being the fraction that a classifier takes for class c.

.. math:: KL[f \,\|\, \text{uniform}] = \sum_c f_c \log(K f_c) = \log K - H[f],

from 0, all classes alike, to log K, one class alone. Images of a uniform distribution do not reach 0, but about
(K - 1) / 2N with N of them.

References:
    Srivastava, Valkov, Russell, Gutmann, Sutton 2017, VEEGAN: Reducing Mode Collapse in GANs using Implicit
        Variational Learning, section 5 (modes captured).
"""

import math

import torch
from torch import Tensor

SHARE = 0.1
"""A class counts as covered if it has this share of what it had under the uniform distribution: 1 % of ten classes.

A classifier mistakes fewer than that, so that a class that is never made does not count for being mistaken.
"""


def frequencies(labels: Tensor, classes: int) -> Tensor:
    """f_c of labels (N,) in 0, ..., K - 1, N > 0: shape (K,), float64."""
    return torch.bincount(labels, minlength=classes).double() / len(labels)


def kl_from_uniform(frequencies: Tensor) -> float:
    """KL[f || uniform] of frequencies (K,), in nats."""
    return float(torch.xlogy(frequencies, frequencies).sum()) + math.log(len(frequencies))


def covered(frequencies: Tensor, share: float = SHARE) -> int:
    """How many classes of frequencies (K,) have at least that share of 1 / K."""
    return int((frequencies >= share / len(frequencies)).sum())
