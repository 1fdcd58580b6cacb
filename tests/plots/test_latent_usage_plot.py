from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from lightning_vi.plots import usage_bars
from lightning_vi.plots.style import BLUE, GREY


@pytest.mark.parametrize("size", [5, 60])
def test_bars_are_sorted_and_coloured_by_use(size: int) -> None:
    kl = np.random.default_rng(0).uniform(size=size)
    active = kl > 0.3
    active[0] = not active[0]
    figure = usage_bars([kl], [active])
    axes: Any = figure.axes[0]
    bars = sorted(axes.patches, key=lambda bar: bar.get_x())
    order = np.argsort(-kl)
    assert [bar.get_height() for bar in bars] == kl[order].tolist()
    assert [bar.get_facecolor()[:3] == to_rgb(BLUE) for bar in bars] == active[order].tolist()
    assert {bar.get_facecolor()[:3] for bar in bars} == {to_rgb(BLUE), to_rgb(GREY)}
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [f"active: {active.sum()}", f"not active: {(~active).sum()}"]
    if size == 5:
        assert [text.get_text() for text in axes.get_xticklabels()] == [str(each) for each in order]


def test_every_layer_has_a_panel() -> None:
    figure = usage_bars([np.ones(3), np.zeros(2)], [np.ones(3, bool), np.zeros(2, bool)])
    assert [axes.get_title() for axes in figure.axes] == ["Layer 1", "Layer 2"]
    assert [len(axes.patches) for axes in figure.axes] == [3, 2]


def test_what_is_not_finite_has_no_bar() -> None:
    kl = np.array([np.nan, 2.0, np.inf])
    figure = usage_bars([kl, kl[:1]], [kl > 0, kl[:1] > 0])
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]  # type: ignore[attr-defined]
    assert [sum(np.isfinite(each)) for each in heights] == [1, 0]
