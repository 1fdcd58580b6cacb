r"""Latent variables that are worth a picture: grids, axes, straight lines and great circles.

If U is uniform on (0, 1) and F is the distribution function of a random variable, then F^{-1}(U) has its distribution:

.. math:: P(F^{-1}(U) \le h) = P(U \le F(h)) = F(h).

So a regular grid of u, mapped by the inverse of the normal distribution function, visits regions of the prior N(0, I)
in proportion to their probability.

References:
    Lecture 13, T(X) = F^{-1}(X). Kingma, Welling 2014, Auto-Encoding Variational Bayes, appendix A (figure 4).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def inverse_normal_grid(rows: int, columns: int) -> Tensor:
    """Latents h = F^{-1}(u) at the midpoints u of the cells of a grid on (0, 1)^2, shape (rows, columns, 2), float64.

    The first variable rises from left to right, the second from the bottom row, which comes last, to the top.
    """
    across = (torch.arange(columns, dtype=torch.float64) + 0.5) / columns
    upwards = (torch.arange(rows, dtype=torch.float64) + 0.5) / rows
    second, first = torch.meshgrid(torch.special.ndtri(upwards.flip(0)), torch.special.ndtri(across), indexing="ij")
    return torch.stack((first, second), dim=-1)


def axes(centre: Tensor, variables: Sequence[int], values: Tensor) -> Tensor:
    """Latents that differ from a centre in one variable, shape (V, T, D).

    Args:
        centre: (D,)
        variables: V of the D variables.
        values: What the variable is set to, (T,).
    """
    latents = centre.repeat(len(variables), len(values), 1)
    for row, variable in enumerate(variables):
        latents[row, :, variable] = values.to(centre)
    return latents


def lines(starts: Tensor, ends: Tensor, steps: int) -> Tensor:
    """Points at equal distances on straight lines, both ends included, shape (P, steps, D).

    Args:
        starts: (P, D)
        ends: (P, D)
        steps: Number of points, at least 2.
    """
    weights = torch.linspace(0.0, 1.0, steps, dtype=starts.dtype, device=starts.device)
    return torch.lerp(starts.unsqueeze(1), ends.unsqueeze(1), weights.unsqueeze(-1))


def great_circle(start: Tensor, end: Tensor, positions: Tensor) -> Tensor:
    r"""Points h(t) = cos(pi t / 2) a + sin(pi t / 2) b, shape (T, D), from a at t = 0 to b at t = 1.

    If a, b ~ N(0, I) are independent, then so is each point ~ N(0, I), since the squares add up to 1: the whole way is
    made of draws from the prior. The middle of a straight line has half the variance, which no draw is like where D is
    large.

    Args:
        start: a, (D,)
        end: b, (D,)
        positions: t, (T,)
    """
    angles = 0.5 * math.pi * positions.to(start).unsqueeze(-1)
    return angles.cos() * start + angles.sin() * end
