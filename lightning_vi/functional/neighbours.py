r"""Nearest neighbours: what a generator has copied, how much of what it makes is real, how much of the real it makes.

With M real and N generated examples, and B(x) the ball around a real one that reaches to the k-th nearest other one,

.. math::
    \text{density} = \frac1{kN} \sum_{j=1}^N \sum_{i=1}^M 1[y_j \in B(x_i)], \qquad
    \text{coverage} = \frac1M \sum_{i=1}^M 1[\exists j: y_j \in B(x_i)].

If both come from one distribution, the expected density is 1 whatever k, M, N and the distribution, and the expected
coverage 1 - prod_{j=0}^{k-1} (M - 1 - j) / (M + N - 1 - j), which tends to 1 - 2^-k for M = N. Of a generator that
makes one example only, the coverage is about 0. Density, other than precision, is not dominated by real outliers.

References:
    Naeem, Oh, Uh, Choi, Yoo 2020, Reliable Fidelity and Diversity Metrics for Generative Models, equations 4 and 5,
        lemmas 1 and 2.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional.distances import blocks, squared_distances

K = 5
"""Neighbours of a real example, as Naeem et al. recommend."""


class Nearest(NamedTuple):
    """The nearest neighbours of N points.

    Attributes:
        distances: Euclidean, shape (N,); 0 exactly for a copy.
        indices: Which neighbour, shape (N,), int64.
    """

    distances: Tensor
    indices: Tensor


class DensityCoverage(NamedTuple):
    """How generated examples lie among real ones.

    Attributes:
        density: About 1 if they are as real as those; above it if they keep to where those are dense.
        coverage: Fraction of real examples that have a generated one among their neighbours, in [0, 1].
    """

    density: float
    coverage: float


def nearest(points: Tensor, others: Tensor) -> Nearest:
    """For each point the nearest of some others; between nearly equal distances, float32 may choose wrong.

    Args:
        points: Shape (N, D).
        others: Shape (M, D).

    Raises:
        UserError: If there are no others, or the dimensions differ.
    """
    require_matrices(points, others)
    centre = others.mean(dim=0)
    centred = others - centre
    indices = torch.empty(len(points), dtype=torch.int64, device=points.device)
    distances = points.new_empty(len(points))
    for place, block in blocks(points, len(others)):
        found = squared_distances(block - centre, centred).argmin(dim=1)
        indices[place] = found
        distances[place] = torch.linalg.vector_norm(block - others[found], dim=1)  # the matrix product has lost digits
    return Nearest(distances, indices)


def radii(points: Tensor, k: int = K) -> Tensor:
    """Distance of each point to the k-th nearest of the others, which may be copies of it.

    Args:
        points: Shape (M, D), M > k.
        k: Which neighbour.

    Returns:
        Shape (M,).

    Raises:
        UserError: If there are not so many neighbours.
    """
    if not 1 <= k < len(points):
        raise UserError(f"radii: k (={k}) must lie in [1, {len(points) - 1}], with {len(points)} points.")
    points = points - points.mean(dim=0)
    found = points.new_empty(len(points))
    for place, block in blocks(points, len(points)):
        squares = squared_distances(block, points)
        itself = torch.arange(len(block), device=points.device)
        squares[itself, itself + place.start] = math.inf
        found[place] = squares.topk(k, dim=1, largest=False).values[:, -1].sqrt()
    return found


def density_coverage(real: Tensor, generated: Tensor, real_radii: Tensor, k: int = K) -> DensityCoverage:
    """Density and coverage of generated examples.

    Args:
        real: Features, shape (M, D).
        generated: Features, shape (N, D).
        real_radii: :func:`radii` of the real ones with the same k, shape (M,).
        k: Number of neighbours that the radii reach to.

    Raises:
        UserError: If there are no generated examples, or shapes differ.
    """
    require_matrices(real, generated)
    if real_radii.shape != (len(real),):
        raise UserError(f"density_coverage: real_radii {tuple(real_radii.shape)} must be ({len(real)},), one of each.")
    centre = real.mean(dim=0)
    centred = generated - centre
    inside, covered = 0, 0
    for place, block in blocks(real, len(generated)):
        within = squared_distances(block - centre, centred) <= real_radii[place].square().unsqueeze(1)
        inside += int(within.sum())
        covered += int(within.any(dim=1).sum())
    return DensityCoverage(inside / (k * len(generated)), covered / len(real))


def expected_coverage(real: int, generated: int, k: int = K) -> float:
    """The expected coverage if M real and N generated examples come from one continuous distribution."""
    return 1 - math.prod((real - 1 - j) / (real + generated - 1 - j) for j in range(k))


def require_matrices(points: Tensor, others: Tensor) -> None:
    """Refuse what is not (N, D) and (M, D) with M > 0.

    Raises:
        UserError: If it is not.
    """
    if points.ndim != 2 or others.ndim != 2 or points.shape[1] != others.shape[1] or not len(others):
        raise UserError(
            f"neighbours: shapes {tuple(points.shape)} and {tuple(others.shape)} must be (N, D) and (M, D), M > 0."
        )
