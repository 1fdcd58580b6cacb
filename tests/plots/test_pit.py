from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binom

from lightning_vi.plots import pit_histogram


def axes(figure: Figure) -> Any:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    (only,) = figure.axes
    return only


def test_bars_are_a_density_over_the_band_of_a_calibrated_one() -> None:
    counts = [120.0, 80.0, 100.0, 100.0]
    figure = pit_histogram(counts)
    panel = axes(figure)
    (bars,) = panel.containers
    np.testing.assert_allclose([bar.get_height() for bar in bars], [1.2, 0.8, 1.0, 1.0])
    band = panel.patches[-1]
    expected = np.array(binom.interval(0.95, 400, 0.25)) / 100
    np.testing.assert_allclose([band.get_y(), band.get_y() + band.get_height()], expected, atol=0.01)
    assert figure.get_suptitle() == "Probability integral transform of 400 targets"
    figure.draw_without_rendering()
