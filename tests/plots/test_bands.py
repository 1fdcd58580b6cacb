from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lightning_vi.plots import predictive_bands


def panels(figure: Figure) -> list[Any]:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    return list(figure.axes)


def test_draws_mean_bands_and_data() -> None:
    x = np.linspace(-1, 1, 50)
    bands = {0.25: (x - 1, x + 1), 0.05: (x - 2, x + 2)}
    (axes,) = panels(predictive_bands(x, x, bands, (np.zeros(3), np.ones(3))))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["5 % to 95 %", "25 % to 75 %", "training data", "predictive mean"]
    wide, narrow, points = axes.collections
    assert np.ptp(wide.get_paths()[0].vertices[:, 1]) == 6
    assert np.ptp(narrow.get_paths()[0].vertices[:, 1]) == 4
    assert points.get_offsets().tolist() == [[0, 1]] * 3
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.stack([x, x], axis=1))


def test_does_without_data() -> None:
    (axes,) = panels(predictive_bands([0, 1], [0, 1], {}, None))
    assert not axes.collections
