from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lightning_vi.plots import manifold_grid


@pytest.mark.parametrize("shape", [(20, 20), (3, 5), (5, 3)])
def test_the_first_row_is_at_the_top_and_labels_are_within_the_figure(shape: tuple[int, int]) -> None:
    images = np.linspace(0, 1, shape[0] * shape[1]).reshape(*shape, 1, 1, 1).repeat(4, axis=-1).repeat(4, axis=-2)
    figure = manifold_grid(images)
    axes: Any = figure.axes[0]
    canvas = np.asarray(axes.images[0].get_array())
    assert axes.images[0].get_extent()[2:] == [canvas.shape[0], 0]  # row 0 of the canvas on top
    np.testing.assert_allclose(canvas[56::112, 56::112, 0], 1 - images[..., 0, 0, 0])
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    box = axes.get_window_extent(renderer)
    assert box.width / box.height == pytest.approx(shape[1] / shape[0])
    for text in (axes.xaxis.label, axes.yaxis.label, figure.texts[0]):
        extent = text.get_window_extent(renderer)
        assert extent.x0 >= 0
        assert extent.y0 >= 0
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1
    assert axes.get_xlabel().startswith("Latent variable 0")
    assert axes.get_ylabel().startswith("Latent variable 1")
