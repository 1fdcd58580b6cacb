"""Activation functions that torch lacks, elementwise, any shape.

The linear unit is `torch.nn.Identity`; sigmoid, ReLU and tanh are `torch.nn.Sigmoid`, `torch.nn.ReLU` and
`torch.nn.Tanh`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Sign(nn.Module):
    """Threshold unit sgn(z), in {-1, 0, 1}, trained straight through.

    The derivative of sgn is zero almost everywhere, so no weight below a true threshold unit would ever
    move. The gradient here is not that of sgn: it is the incoming gradient where |z| <= 1 and zero
    elsewhere, the derivative of hardtanh. It is biased, and the standard way to train such networks.

    References:
        Bengio, Leonard, Courville 2013, Estimating or Propagating Gradients Through Stochastic Neurons (the
            straight-through estimator).
        Hubara, Courbariaux, Soudry, El-Yaniv, Bengio 2016, Binarized Neural Networks, equation 4.
    """

    def forward(self, z: Tensor) -> Tensor:
        """sgn(z), same shape."""
        surrogate = functional.hardtanh(z)
        # The difference is exactly zero, so the value is exactly the sign.
        return torch.sign(z).detach() + (surrogate - surrogate.detach())


class Sine(nn.Module):
    """Sinusoid unit sin(z)."""

    def forward(self, z: Tensor) -> Tensor:
        """sin(z), same shape."""
        return torch.sin(z)


class Sinc(nn.Module):
    """Sinc unit sin(z) / z, and 1 at z = 0.

    Unnormalised, with zeros at the multiples of pi; `torch.sinc` is sin(pi z) / (pi z).
    """

    def forward(self, z: Tensor) -> Tensor:
        """sin(z) / z, same shape."""
        # The derivative (z cos z - sin z) / z^2 cancels near 0, so small arguments take the series, whose
        # next term is 3e-18 at 0.1. The inner `where` keeps 0 / 0 out of the gradient.
        small = z.abs() < 0.1
        square = z * z
        series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
        away = torch.where(small, 1.0, z)
        return torch.where(small, series, torch.sin(away) / away)


class GaussianBump(nn.Module):
    """Gaussian unit exp(-z^2)."""

    def forward(self, z: Tensor) -> Tensor:
        """exp(-z^2), same shape."""
        return torch.exp(-z * z)
