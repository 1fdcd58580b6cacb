"""From strokes on a canvas to a digit as its data set has it.

MNIST's digits were scaled, keeping their proportions, to fit into 20 x 20 pixels, which left grey levels, and moved by
whole pixels until their centre of mass lay in the middle of 28 x 28 (LeCun et al. 1998, section III.A). What "the
middle" is was read off its 10,000 test images: all have their centre of mass within half a pixel of (14, 14), counted
from 0, and all but three, of 19, have 20 pixels on their longer side.

The digits of 8 x 8 pixels fill theirs from top to bottom; their centres of mass lie around 3.5 from left to right.

References:
    LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning Applied to Document Recognition. Alpaydin & Kaynak
    1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Layout(NamedTuple):
    """Where the digits of a data set lie in their images.

    Attributes:
        box: Longer side of a digit, in pixels.
        middle: Coordinate of the centre of mass, of either axis, counted from 0 in the middle of the first pixel.
    """

    box: int
    middle: float


DIGITS = {8: Layout(8, 3.5)}
"""By the side of the images: those that are not laid out as MNIST's are."""


def layout(side: int) -> Layout:
    """That of images of side x side pixels, by default MNIST's in proportion."""
    return DIGITS.get(side, Layout(round(side * 20 / 28), side / 2))


def ink(canvas: NDArray[np.uint8]) -> Tensor:
    """How dark a canvas is, (Y, X) in [0, 1], over white paper: 0 for paper and 1 for black.

    Args:
        canvas: (Y, X, 4), red, green, blue and opacity.
    """
    pixels = torch.from_numpy(canvas.astype(np.float32)) / 255.0
    return pixels[..., 3] * (1.0 - pixels[..., :3].mean(dim=-1))


def digit(drawn: Tensor, side: int) -> Tensor | None:
    """The drawing as the data set has its digits, (1, side, side) in [0, 1]; None if there is no ink.

    Args:
        drawn: (Y, X) in [0, 1], see :func:`ink`.
        side: Of the images.
    """
    rows, columns = (drawn.amax(dim=axis).nonzero().flatten() for axis in (1, 0))
    if len(rows) == 0:
        return None
    cut = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box, middle = layout(side)
    # A thin stroke, such as a 1, still has one pixel.
    height, width = (max(1, round(length * box / max(cut.shape))) for length in cut.shape)
    scaled = _averages(cut.shape[0], height) @ cut @ _averages(cut.shape[1], width).T
    top, left = (_start(scaled.sum(dim=axis), side, middle) for axis in (1, 0))
    image = torch.zeros(1, side, side, dtype=drawn.dtype)
    image[0, top : top + height, left : left + width] = scaled
    return image


def _averages(pixels: int, cells: int) -> Tensor:
    """What takes pixels in a row to the averages of as many cells over the same length, (cells, pixels)."""
    edges = torch.arange(pixels + 1) * (cells / pixels)
    starts = torch.arange(cells).unsqueeze(-1)
    return (edges[1:].minimum(starts + 1) - edges[:-1].maximum(starts)).clamp(min=0.0)


def _start(mass: Tensor, side: int, middle: float) -> int:
    """Where to put masses (n,) in a row, so that their centre is in the middle, and all within the row."""
    centre = float(mass @ torch.arange(len(mass), dtype=mass.dtype) / mass.sum())
    return min(max(math.ceil(middle - centre - 0.5), 0), side - len(mass))
