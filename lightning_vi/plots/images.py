from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import INK, RED, style

COLUMNS = 6


def image_grid(images: ArrayLike, captions: Sequence[str], marked: Sequence[bool], title: str) -> Figure:
    """Images in a grid, each with a caption above it; brightness is stretched to each image's own range.

    Args:
        images: (N, C, H, W) with C = 1 or 3, in any units.
        captions: N texts.
        marked: N times whether the caption is red.
        title: Stands above the grid.
    """
    pixels = np.asarray(images, dtype=np.float64)
    columns = min(len(pixels), COLUMNS)
    rows = -(-len(pixels) // columns)
    with style():
        figure = Figure(figsize=(1.4 * columns, 1.75 * rows + 0.35), layout="constrained")
        for position, (image, caption, mark) in enumerate(zip(pixels, captions, marked, strict=True)):
            axes = figure.add_subplot(rows, columns, position + 1)
            span = max(float(image.max() - image.min()), 1e-12)
            shade = np.moveaxis((image - image.min()) / span, 0, -1)
            axes.imshow(shade, cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(caption, fontsize=9, linespacing=1.25, color=RED if mark else INK)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(visible=True, color="#c9cdd3")
        figure.suptitle(title)
    return figure
