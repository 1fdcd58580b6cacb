from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lightning_vi.plots import image_rows
from lightning_vi.plots.latent_tiles import LATTICE, mosaic


def only_axes(figure: Figure) -> Any:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    (axes,) = figure.axes
    return axes


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("space", [0.0, 0.06])
def test_every_image_is_in_its_place(channels: int, space: float) -> None:
    images = np.random.default_rng(0).uniform(size=(2, 3, channels, 5, 4))
    canvas = mosaic(images, space)
    tall, wide = 5 * 23, 4 * 23  # at least 112 pixels for 5
    down, right = round(tall * (1 + space)), round(wide * (1 + space))
    assert canvas.shape == (down + tall, 2 * right + wide, 3)
    covered = np.zeros(canvas.shape[:2], dtype=bool)
    for row in range(2):
        for column in range(3):
            place = (slice(row * down, row * down + tall), slice(column * right, column * right + wide))
            covered[place] = True
            expected = np.moveaxis(images[row, column], 0, -1)
            expected = np.broadcast_to(1 - expected if channels == 1 else expected, (5, 4, 3))
            np.testing.assert_array_equal(canvas[place][11::23, 11::23], expected)
    assert (canvas[~covered] == LATTICE).all()
    assert covered.all() == (space == 0)


@pytest.mark.parametrize("shape", [(1, 1), (2, 12), (8, 9), (3, 40)])
def test_labels_stand_by_their_images_and_nothing_is_cut_off(shape: tuple[int, int]) -> None:
    rows, columns = shape
    labels = [f"latent {row}: 0.00 nats" for row in range(rows)], [f"{column}" for column in range(columns)]
    figure = image_rows(np.zeros((*shape, 1, 8, 8)), "A title that is longer than an image is wide", *labels)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    axes, size = only_axes(figure), figure.bbox
    box = axes.get_window_extent(renderer)
    assert box.width / box.height == pytest.approx((1.06 * columns - 0.06) / (1.06 * rows - 0.06), rel=0.01)
    texts = [figure.texts[0], *axes.get_yticklabels(), *axes.get_xticklabels()]
    assert [each.get_text() for each in texts[1:]] == [*labels[0], *labels[1]]
    for text in texts:
        extent = text.get_window_extent(renderer)
        assert size.x0 <= extent.x0 < extent.x1 <= size.x1
        assert size.y0 <= extent.y0 < extent.y1 <= size.y1
        assert not extent.overlaps(box)
    for row, text in enumerate(axes.get_yticklabels()):
        middle = box.y1 - box.height * (row * 1.06 + 0.5) / (1.06 * rows - 0.06)
        extent = text.get_window_extent(renderer)
        assert (extent.y0 + extent.y1) / 2 == pytest.approx(middle, abs=6)


def test_there_are_no_ticks_without_labels() -> None:
    axes = only_axes(image_rows(np.zeros((2, 3, 3, 4, 4)), "title"))
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0
