from typing import Any

import pytest
from matplotlib.figure import Figure

from lightning_vi.plots import learning_curves


def panels(figure: Figure) -> list[Any]:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    return list(figure.axes)


HISTORY = {
    "val/error": {2: 4.0, 1: 8.0, 3: 3.0},
    "test/error": {1: 9.0, 2: 5.0},
    "train/elbo": {1: -2.0, 2: -1.5, 3: -1.25},
}


def test_draws_errors_and_elbo_side_by_side() -> None:
    error, elbo = panels(learning_curves(HISTORY))
    assert (error.get_ylabel(), elbo.get_ylabel()) == ("Error (%)", "ELBO (nats per example)")
    validation, test = error.lines
    assert validation.get_xydata().tolist() == [[1, 8], [2, 4], [3, 3]]
    assert test.get_xydata().tolist() == [[1, 9], [2, 5]]
    assert [text.get_text() for text in error.get_legend().get_texts()] == ["validation, last 3", "test, last 5"]
    assert [text.get_text() for text in elbo.get_legend().get_texts()] == ["training, last −1.25"]
    assert error.get_yscale() == "linear"


def test_a_tall_start_asks_for_a_logarithmic_axis() -> None:
    (axes,) = panels(learning_curves({"val/error": {1: 90.0, 2: 3.0, 3: 2.0}, "train/elbo": {}}))
    assert axes.get_yscale() == "log"
    (axes,) = panels(learning_curves({"train/elbo": {1: -90.0, 2: -1.0}}))
    assert axes.get_yscale() == "linear"


def test_needs_a_value() -> None:
    with pytest.raises(ValueError, match="must hold values"):
        learning_curves({"val/error": {}, "other": {1: 1.0}})
