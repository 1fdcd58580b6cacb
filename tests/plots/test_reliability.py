from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import binomtest

from lightning_vi.plots import reliability_diagram
from lightning_vi.plots.reliability import calibration_error


def panels(figure: Figure) -> list[Any]:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    return list(figure.axes)


COUNTS = np.array([0.0, 4.0, 0.0, 100.0])
CONFIDENCE = np.array([0.0, 1.6, 0.0, 95.0])
CORRECT = np.array([0.0, 4.0, 0.0, 90.0])


def test_calibration_error_by_hand() -> None:
    by_hand = 4 / 104 * abs(1.0 - 0.4) + 100 / 104 * abs(0.9 - 0.95)
    assert calibration_error(COUNTS, CONFIDENCE, CORRECT) == pytest.approx(by_hand)


def test_draws_accuracy_with_wilsons_interval_over_counts() -> None:
    figure = reliability_diagram(COUNTS, CONFIDENCE, CORRECT)
    top, bottom = panels(figure)
    accuracy, interval = top.containers
    assert [bar.get_height() for bar in accuracy] == [1.0, 0.9]
    assert [bar.get_height() for bar in bottom.containers[0]] == [4.0, 100.0]
    for segment, n, k in zip(interval[2][0].get_segments(), (4, 100), (4, 90), strict=True):
        wilson = binomtest(k, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(segment[:, 1], [wilson.low, wilson.high], atol=1e-4)
    assert figure.get_suptitle() == "Expected calibration error 7.12 %"
