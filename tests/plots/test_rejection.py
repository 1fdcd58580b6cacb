from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lightning_vi.plots import accuracy_rejection


def axes(figure: Figure) -> Any:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    (only,) = figure.axes
    return only


def test_lies_between_rejecting_all_errors_first_and_at_random() -> None:
    wrong = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    figure = accuracy_rejection(np.cumsum(wrong) / np.arange(1, 9))
    best, found, random = (np.asarray(line.get_ydata()) for line in axes(figure).lines)
    np.testing.assert_allclose(best, 1 - np.cumsum(np.sort(wrong)) / np.arange(1, 9))
    np.testing.assert_allclose(random, 1 - wrong.mean())
    assert (best >= found).all()
    (line, *_) = axes(figure).lines
    assert list(line.get_xdata()) == pytest.approx([1 - k / 8 for k in range(1, 9)])
    labels = [text.get_text() for text in axes(figure).get_legend().get_texts()]
    assert labels[0] == f"errors first, AURC {np.mean([0, 0, 0, 0, 0, 1 / 6, 2 / 7, 3 / 8]):.5f}"
    assert labels[2] == "at random, AURC 0.37500"
    figure.draw_without_rendering()


def test_no_error_at_all() -> None:
    accuracy_rejection([0.0]).draw_without_rendering()
