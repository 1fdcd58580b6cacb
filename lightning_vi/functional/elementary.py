"""Softplus and logarithm in the form that the compiler turns into vector instructions.

Inside ``torch.compile`` the library functions cost more than all else that a draw does. Both are replaced there by
series in z = (x - 1) / (x + 1), since log x = 2 (z + z^3/3 + z^5/5 + ...), which converges fast where |z| <= 1/3.
Outside of it, and in float64, PyTorch's own functions are used. Relative error in float32: below 3e-7.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_SQRT_HALF_BITS = 0x3F3504F3  # the float32 nearest to sqrt(1/2), read as an integer


def _atanh_series(z: Tensor, terms: int) -> Tensor:
    square = z * z
    total = torch.full_like(z, 1.0 / (2 * terms - 1))
    for k in range(terms - 2, -1, -1):
        total = total * square + 1.0 / (2 * k + 1)
    return 2.0 * z * total


def log1p_of_unit(t: Tensor) -> Tensor:
    """log(1 + t) for t in [0, 1], elementwise, by the series."""
    return _atanh_series(t / (2.0 + t), terms=8)


def softplus_and_slope_series(x: Tensor) -> tuple[Tensor, Tensor]:
    """See :func:`softplus_and_slope`; by the series, for float32."""
    t = torch.exp(-x.abs())
    return x.clamp(min=0.0) + log1p_of_unit(t), torch.where(x < 0.0, t, 1.0) / (1.0 + t)


def log_series(x: Tensor) -> Tensor:
    """See :func:`log`; by the series, for float32."""
    bits = x.view(torch.int32) - _SQRT_HALF_BITS
    exponent = (bits >> 23).to(x.dtype)
    mantissa = ((bits & 0x7FFFFF) + _SQRT_HALF_BITS).view(x.dtype)  # in [sqrt(1/2), sqrt(2))
    return exponent * math.log(2.0) + _atanh_series((mantissa - 1.0) / (mantissa + 1.0), terms=5)


def _vectorise(x: Tensor) -> bool:
    return torch.compiler.is_compiling() and x.dtype == torch.float32


def softplus_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + e^x) and its derivative 1 / (1 + e^-x), elementwise."""
    if _vectorise(x):
        return softplus_and_slope_series(x)
    return F.softplus(x, threshold=40.0), torch.sigmoid(x)


def log(x: Tensor) -> Tensor:
    """Natural logarithm of normal positive numbers, elementwise."""
    return log_series(x) if _vectorise(x) else torch.log(x)


def log1p_exp_neg(x: Tensor) -> Tensor:
    """log(1 + e^-x) for x >= 0, elementwise."""
    if _vectorise(x):
        # Beyond 30 the value is lost in rounding, but squares of denormal numbers would slow the loop tenfold.
        return log1p_of_unit(torch.exp(-x.clamp(max=30.0)))
    return torch.log1p(torch.exp(-x))
