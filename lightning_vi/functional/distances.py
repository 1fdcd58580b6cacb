r"""Squared Euclidean distances by one matrix product.

.. math:: \|x - y\|^2 = \|x - c\|^2 + \|y - c\|^2 - 2 (x - c)^\top (y - c), \qquad \text{any } c.

The product runs at the speed of the processor, but the difference of large numbers loses digits: each is rounded by
about eps R^2, R the largest of the norms. The centre c, the mean of the data, makes R as small as one point can.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# Distances at once: what stays in a processor's cache. A GPU wants more.
AT_ONCE = {"cpu": 4_000_000}
MANY_AT_ONCE = 64_000_000


def squared_distances(points: Tensor, others: Tensor) -> Tensor:
    """|x - y|^2, elementwise.

    Args:
        points: x, shape (N, D).
        others: y, shape (M, D). Both should have been centred, or the differences lose digits.

    Returns:
        Shape (N, M), not negative.
    """
    with torch.autocast(points.device.type, enabled=False):  # a product in bfloat16 would keep two digits
        squares = torch.addmm(others.square().sum(dim=1), points, others.T, alpha=-2.0)
    return squares.add_(points.square().sum(dim=1, keepdim=True)).clamp_(min=0.0)


def blocks(points: Tensor, others: int) -> Iterator[tuple[slice, Tensor]]:
    """Parts of points (N, D), with where they lie, so small that the distances to M others fit into the memory.

    Args:
        points: Shape (N, D).
        others: M.
    """
    size = max(1, AT_ONCE.get(points.device.type, MANY_AT_ONCE) // max(1, others))
    for first in range(0, len(points), size):
        place = slice(first, first + size)
        yield place, points[place]
