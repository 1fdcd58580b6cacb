from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lightning_vi.plots import signal_to_noise


def panels(figure: Figure) -> list[Any]:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    return list(figure.axes)


def test_density_and_distribution_agree_with_the_weights() -> None:
    decibel = np.random.default_rng(0).normal(-2.0, 5.0, size=20000)
    left, right = panels(signal_to_noise(10 ** (decibel / 10)))
    heights, edges, _ = left.patches[0].get_data()
    inside = decibel[(decibel >= -30) & (decibel <= edges[-1])]
    assert (heights * np.diff(edges)).sum() == pytest.approx(len(inside) / 20000)
    assert edges[heights.argmax()] == pytest.approx(-2, abs=2)
    curve = right.lines[0].get_xydata()
    assert np.interp(-2.0, *curve.T) == pytest.approx(0.5, abs=0.01)
    assert right.lines[1].get_xdata()[0] == pytest.approx(np.quantile(decibel, 0.75), abs=0.01)


def test_weights_without_signal_count_at_the_bottom() -> None:
    ratios = np.concatenate([np.zeros(10), [np.nan] * 10, np.full(20, 1e-20), np.full(60, 10.0)])
    left, right = panels(signal_to_noise(ratios))
    assert [text.get_text() for text in left.texts] == ["40.0 % below −30 dB"]
    heights, edges, _ = left.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(0.6)
    assert right.lines[0].get_ydata()[0] == pytest.approx(0.4)
    assert [text.get_text() for text in right.texts] == ["75 % below 10.0 dB"]


def test_survives_a_posterior_without_any_signal() -> None:
    signal_to_noise(np.zeros(5)).draw_without_rendering()
    signal_to_noise(np.ones(5)).draw_without_rendering()
