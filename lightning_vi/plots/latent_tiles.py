from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lightning_vi.plots.style import style

WIDTH, TILE = 7.5, 0.75  # of all images together and of each of them, at most; this and what follows in inches
TITLE, LABELS, PAD = 0.32, 0.18, 0.06
LETTER, TITLE_LETTER = 0.088, 0.105  # widths, rather too large
RESOLUTION = 112  # pixels of the longer side of an image, at least
SPACE = 0.06  # between images, in their sides
LATTICE = 0.88  # brightness of that space


def image_rows(
    images: ArrayLike, title: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()
) -> Figure:
    """Images in rows that belong together; grey ones as ink on paper.

    Args:
        images: (R, N, C, H, W) with C = 1 or 3, in [0, 1].
        title: Stands above them.
        row_labels: R texts on the left, or none.
        column_labels: N texts above the columns, or none.
    """
    canvas = mosaic(images, SPACE)
    rows, columns = np.shape(images)[:2]
    left = LETTER * max(map(len, row_labels), default=0) + PAD
    width = min(WIDTH, TILE * columns)
    figure, axes = framed(canvas, width, title, left=left, top=TITLE + LABELS * bool(column_labels))
    # Middles of the images, in pixels of the canvas; all are as tall, and as wide, as the first.
    middles = [
        [(canvas.shape[axis] / (count + SPACE * (count - 1))) * (0.5 + (1 + SPACE) * number) for number in range(count)]
        for axis, count in enumerate((rows, columns))
    ]
    if row_labels:
        axes.set_yticks(middles[0], row_labels)
    if column_labels:
        axes.set_xticks(middles[1], column_labels)
    axes.tick_params(length=0, pad=4, labeltop=True, labelbottom=False)
    return figure


def mosaic(images: ArrayLike, space: float) -> NDArray[np.float64]:
    """One image (Y, X, 3) of images (R, N, C, H, W) in [0, 1], each of whose pixels becomes a square of pixels.

    Args:
        images: Grey (C = 1), which are inverted, or with three colours.
        space: Between them, in units of their sides.
    """
    pixels = np.asarray(images, dtype=np.float64)
    rows, columns, channels, height, width = pixels.shape
    scale = -(-RESOLUTION // max(height, width))
    tall, wide = height * scale, width * scale
    down, right = round(tall * (1 + space)), round(wide * (1 + space))
    canvas = np.full((down * (rows - 1) + tall, right * (columns - 1) + wide, 3), LATTICE)
    shown = 1 - pixels if channels == 1 else pixels
    for row in range(rows):
        for column in range(columns):
            tile = np.moveaxis(shown[row, column], 0, -1).repeat(scale, axis=0).repeat(scale, axis=1)
            canvas[row * down : row * down + tall, column * right : column * right + wide] = tile
    return canvas


def framed(
    canvas: NDArray[np.float64],
    width: float,
    title: str,
    left: float = PAD,
    top: float = TITLE,
    bottom: float = PAD,
) -> tuple[Figure, Axes]:
    """A figure of an image, and the axes that show it without ticks, in units of its pixels.

    Placed by hand: matplotlib's layouts cut off labels beside an image, which has to keep its proportions.

    Args:
        canvas: (Y, X, 3), in [0, 1].
        width: Of the image, in inches; the rest in inches too.
        title: Stands in the middle above it.
        left: Room on the left.
        top: Room above, for the title too.
        bottom: Room below.
    """
    height = width * canvas.shape[0] / canvas.shape[1]
    spare = max(0.0, TITLE_LETTER * len(title) - width) / 2
    size = (max(left, spare) + width + max(PAD, spare), top + height + bottom)
    with style():
        figure = Figure(figsize=size)
        place = (max(left, spare) / size[0], bottom / size[1], width / size[0], height / size[1])
        axes = figure.add_axes(place)
        axes.imshow(canvas, extent=(0, canvas.shape[1], canvas.shape[0], 0), aspect="auto")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[])
        figure.suptitle(title, x=place[0] + place[2] / 2, y=1 - PAD / size[1], va="top")
    return figure, axes
