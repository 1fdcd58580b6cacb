from typing import Any

import numpy as np

from lightning_vi.plots import class_probabilities

DRAWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.1, 0.5]])


def test_bars_are_means_and_points_are_draws() -> None:
    figure = class_probabilities(DRAWS, single=[0.9, 0.1, 0.0])
    axes: Any = figure.axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in axes.containers[0]], DRAWS.mean(axis=0))
    points, single = axes.lines
    places, heights = (np.reshape(values, (3, 3)) for values in points.get_data())
    np.testing.assert_allclose(heights, DRAWS)
    # Each over the bar of its class, where no other draw's is.
    assert (np.abs(places - np.arange(3)) < 0.4).all()
    assert len(np.unique(places)) == 9
    np.testing.assert_allclose(single.get_data(), ([0, 1, 2], [0.9, 0.1, 0.0]))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["each draw", "single network", "mean of 3 draws"]


def test_one_network_has_bars_alone() -> None:
    figure = class_probabilities(DRAWS[:1])
    assert not figure.axes[0].lines
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one network"]
