from typing import Any

import pytest
from matplotlib.figure import Figure

from lightning_vi.plots import pruning_curve

FRACTIONS = [0.0, 0.5, 0.95]


def axes(figure: Figure) -> Any:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    (only,) = figure.axes
    return only


def test_curves_and_published_points_stand_at_their_fractions() -> None:
    figure = pruning_curve(
        FRACTIONS,
        {"posterior mean": [1.3, 1.4, 1.5], "draws averaged": [1.2, 1.2, 1.3]},
        {0.0: 1.24, 0.98: 1.39},
        "Test error (%)",
    )
    panel = axes(figure)
    mean, draws, published = panel.lines
    for curve in (mean, draws):
        assert list(curve.get_xdata()) == pytest.approx([1.0, 0.5, 0.05])
    assert list(draws.get_ydata()) == [1.2, 1.2, 1.3]
    assert list(published.get_xdata()) == pytest.approx([1.0, 0.02])
    assert list(published.get_ydata()) == [1.24, 1.39]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == [
        "posterior mean",
        "draws averaged",
        "published",
    ]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0 %", "50 %", "95 %"]
    left, right = panel.get_xlim()
    assert left > 1.0 > 0.02 > right
    assert panel.get_ylabel() == "Test error (%)"
    figure.draw_without_rendering()


@pytest.mark.parametrize(("worst", "scale"), [(2.0, "linear"), (90.0, "log")])
def test_a_collapse_does_not_flatten_the_rest(worst: float, scale: str) -> None:
    figure = pruning_curve(FRACTIONS, {"draws averaged": [1.2, 1.3, worst]}, {}, "Test error (%)")
    assert axes(figure).get_yscale() == scale
    assert len(axes(figure).lines) == 1
    figure.draw_without_rendering()


def test_one_fraction_and_no_error_at_all() -> None:
    pruning_curve([0.5], {"draws averaged": [0.0]}, {}, "Test RMSE").draw_without_rendering()
