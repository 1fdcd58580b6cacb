from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lightning_vi.plots import image_grid
from lightning_vi.plots.style import INK, RED


def panels(figure: Figure) -> list[Any]:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    return list(figure.axes)


@pytest.mark.parametrize("channels", [1, 3])
def test_shows_every_image_with_its_caption(channels: int) -> None:
    images = np.random.default_rng(0).normal(5.0, 3.0, size=(8, channels, 4, 4))
    captions = [f"image {index}" for index in range(8)]
    marked = [index == 2 for index in range(8)]
    figure = image_grid(images, captions, marked, "all")
    assert [axes.get_title() for axes in panels(figure)] == captions
    assert [axes.title.get_color() for axes in panels(figure)] == [RED if mark else INK for mark in marked]
    for image, axes in zip(images, panels(figure), strict=True):
        shown = np.asarray(axes.images[0].get_array()).reshape(4, 4, channels)
        assert (shown.min(), shown.max()) == (0, 1)
        restored = shown * np.ptp(image) + image.min()
        np.testing.assert_allclose(np.moveaxis(restored, -1, 0), image)


def test_a_blank_image_is_white() -> None:
    figure = image_grid(np.full((1, 1, 4, 4), 7.0), ["blank"], [False], "one")
    assert np.asarray(panels(figure)[0].images[0].get_array()).max() == 0
