r"""Averages of importance weights, kept as logarithms.

With k draws h_i from q(h | x) and log weights log w_i = log p(x, h_i) - log q(h_i | x), the mean weight
(1/k) sum_i w_i is an unbiased estimate of p(x), and the expectation of its logarithm a lower bound of log p(x) that
grows with k.

References:
    Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, equation 8 and theorem 1.
"""

import math

import torch
from torch import Tensor


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """log (1/k) sum_i w_i of log weights (k, ...); shape (...)."""
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def normalised_weights(log_weights: Tensor) -> Tensor:
    """w_i / sum_j w_j of log weights (k, ...), same shape; constants for autograd."""
    return torch.softmax(log_weights.detach(), dim=0)
