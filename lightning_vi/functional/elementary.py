"""Softplus, exponential, logarithm, sine and cosine in the form that the compiler turns into vector instructions.

Inside ``torch.compile`` on a processor the library functions cost more than all else that a draw does; a call in the
loop alone costs all its vector registers. There they are replaced by polynomials, fitted at Chebyshev nodes. Outside
of it, in float64 and on other devices PyTorch's own functions are used. Relative error in float32: below 3e-7.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_SQRT_HALF_BITS = 0x3F3504F3  # the float32 nearest to sqrt(1/2), read as an integer
_EXPONENT_BITS = -0x800000  # all but the 23 bits of the mantissa

# e^-r for |r| <= ln(2) / 2.
_EXP_NEG = (1, -1.00000004, 0.500000011, -0.166664155, 0.0416662183, -0.00837512889, 0.00139485808)
# log(1 + t) / t on [0, 1].
_LOG1P = (
    0.999999971,
    -0.499995015,
    0.333192713,
    -0.248443699,
    0.191114311,
    -0.136747697,
    0.078361668,
    -0.0295885074,
    0.0052534578,
)
# log(1 + m) / m on [sqrt(1/2) - 1, sqrt(2) - 1].
_LOG = (
    0.999999974,
    -0.49999987,
    0.333341833,
    -0.250021535,
    0.199569775,
    -0.16560696,
    0.149490955,
    -0.143773306,
    0.0874394535,
)
# sin(x) / x and cos(x) in x^2, for |x| <= pi / 4.
_SIN = (0.999999997, -0.166666507, 0.00833203633, -0.000195039631)
_COS = (1.0, -0.499999996, 0.0416666167, -0.00138866186, 2.43798803e-05)


def _horner(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    """The even and the odd powers apart: two short chains of operations instead of a long one.

    Shorter ones still need higher powers, and those of a small x are denormal numbers, which are slow.
    """
    square = x * x
    return _horner(coefficients[::2], square) + x * _horner(coefficients[1::2], square)


def log1p_of_unit(t: Tensor) -> Tensor:
    """log(1 + t) for t in [0, 1], elementwise, by the polynomial, for float32."""
    return t * _polynomial(_LOG1P, t)


def exp_neg_polynomial(x: Tensor) -> Tensor:
    """e^-x for x in [0, 87], elementwise, for float32."""
    power = torch.round(x * (1.0 / math.log(2.0)))
    # ln(2) in two parts, of which the first has so few bits that its multiples are exact.
    remainder = x - power * 0.693359375 + power * 2.12194440e-4
    return _polynomial(_EXP_NEG, remainder) * ((127 - power.to(torch.int32)) * (1 << 23)).view(x.dtype)


def softplus_and_slope_polynomial(x: Tensor) -> tuple[Tensor, Tensor]:
    """See :func:`softplus_and_slope`; by the polynomials, for float32."""
    t = exp_neg_polynomial(x.abs().clamp(max=87.0))
    return x.clamp(min=0.0) + log1p_of_unit(t), torch.where(x < 0.0, t, 1.0) / (1.0 + t)


def log_polynomial(x: Tensor) -> Tensor:
    """See :func:`log`; by the polynomial, for float32."""
    bits = x.view(torch.int32) - _SQRT_HALF_BITS
    exponent = bits & _EXPONENT_BITS  # times 2^23, a multiple of it, which float32 holds exactly
    mantissa = (bits - exponent + _SQRT_HALF_BITS).view(x.dtype)  # in [sqrt(1/2), sqrt(2))
    return exponent.to(x.dtype) * (math.log(2.0) * 2.0**-23) + (mantissa - 1.0) * _polynomial(_LOG, mantissa - 1.0)


def cos_and_sin_polynomial(turns: Tensor) -> tuple[Tensor, Tensor]:
    """See :func:`cos_and_sin`; by polynomials about the nearest quarter turn, for float32 results."""
    quarter = (turns + (1 << 29)) >> 30
    x = (turns - (quarter << 30)).to(torch.float32) * (2.0 * math.pi * 2.0**-32)
    square, quarter = x * x, quarter.to(torch.int32)
    cosine, sine = _horner(_COS, square), x * _horner(_SIN, square)
    odd = (quarter & 1) == 1
    first, second = torch.where(odd, sine, cosine), torch.where(odd, cosine, sine)
    return torch.where(((quarter + 1) & 2) == 2, -first, first), torch.where((quarter & 2) == 2, -second, second)


def _vectorise(x: Tensor, dtype: torch.dtype) -> bool:
    return torch.compiler.is_compiling() and dtype == torch.float32 and x.device.type == "cpu"


def softplus_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + e^x) and its derivative 1 / (1 + e^-x), elementwise; both stay positive, below x = -87 at 2e-38."""
    if _vectorise(x, x.dtype):
        return softplus_and_slope_polynomial(x)
    x = x.clamp(min=-87.0)
    return F.softplus(x, threshold=40.0), torch.sigmoid(x)


def log(x: Tensor) -> Tensor:
    """Natural logarithm of normal positive numbers, elementwise."""
    return log_polynomial(x) if _vectorise(x, x.dtype) else torch.log(x)


def exp_neg(x: Tensor) -> Tensor:
    """e^-x for x >= 0, elementwise; beyond x = 40 it stays at 4e-18, since squares of less are denormal numbers."""
    x = x.clamp(max=40.0)
    return exp_neg_polynomial(x) if _vectorise(x, x.dtype) else torch.exp(-x)


def log1p_exp_neg(x: Tensor) -> Tensor:
    """log(1 + e^-x) for x >= 0, elementwise."""
    return log1p_of_unit(exp_neg(x)) if _vectorise(x, x.dtype) else torch.log1p(torch.exp(-x))


def cos_and_sin(turns: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine of an angle in turns of 2^-32, elementwise.

    Args:
        turns: int64, in [0, 2^32).
        dtype: Of the results.
    """
    if _vectorise(turns, dtype):
        return cos_and_sin_polynomial(turns)
    angle = turns.to(dtype) * (2.0 * math.pi * 2.0**-32)
    return torch.cos(angle), torch.sin(angle)
