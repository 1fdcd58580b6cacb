from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lightning_vi.plots.error_curves import errors_over_epochs


def panel(figure: Figure) -> Any:
    """The axes, of any type: matplotlib annotates what they hold more widely than it is."""
    (axes,) = figure.axes
    return axes


def test_draws_the_mean_in_a_band_from_the_lowest_to_the_highest_seed() -> None:
    seeds = [{2: 4.0, 1: 5.0}, {1: 6.0, 2: 2.0}, {1: 10.0, 2: 3.0}]
    axes = panel(errors_over_epochs({"A": seeds, "B": [{1: 3.0, 2: 2.0, 4: 1.25}]}, "Title", "test error, %"))
    several, one = axes.lines
    assert several.get_xydata().tolist() == [[1, 7], [2, 3]]
    assert one.get_xydata().tolist() == [[1, 3], [2, 2], [4, 1.25]]
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(1, 5), (1, 10), (2, 2), (2, 4)}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["A, last 3.00", "B, last 1.25"]
    assert axes.get_ylabel() == "test error, %"
    assert axes.get_xlabel() == "Epoch (line: mean, band: range over seeds)"
    assert axes.figure.get_suptitle() == "Title"


def test_one_seed_is_a_line_only() -> None:
    axes = panel(errors_over_epochs({"A": [{1: 3.0, 2: 2.0}]}, "", ""))
    assert len(axes.lines) == 1
    assert not axes.collections
    assert axes.get_xlabel() == "Epoch"


def test_draws_the_epochs_that_all_seeds_have() -> None:
    axes = panel(errors_over_epochs({"A": [{1: 3.0, 2: 2.0, 3: 1.0}, {1: 5.0, 3: 2.0, 4: 0.0}]}, "", ""))
    assert axes.lines[0].get_xydata().tolist() == [[1, 4], [3, 1.5]]


def test_a_tall_start_is_cut_and_the_picture_says_so() -> None:
    # Without a fifth of 11 epochs, from epoch 3 on, the highest value is 2.5, which is below 1.6 times the end.
    curve = dict.fromkeys(range(1, 12), 2.0) | {1: 90.0, 3: 2.5}
    axes = panel(errors_over_epochs({"A": [curve]}, "", ""))
    assert axes.get_ylim() == pytest.approx((1.975, 2.525))
    assert [text.get_text() for text in axes.texts] == ["↑ the axis is cut"]


def test_the_highest_end_bounds_the_axis() -> None:
    axes = panel(errors_over_epochs({"A": [{1: 90.0, 2: 10.0, 3: 2.0}], "B": [{3: 1.0}]}, "", ""))
    assert axes.get_ylim() == pytest.approx((1 - 0.05 * 2.2, 3.2 + 0.05 * 2.2))


@pytest.mark.parametrize(
    "curve",
    [
        {1: 2.2, 2: 2.1, 3: 2.0},
        {epoch: 3.0 - epoch / 10 for epoch in range(1, 11)},
        {1: -1.0, 2: -2.0},
        {1: 3.0},
        {1: 0.0},
    ],
)
def test_nothing_is_cut_without_need(curve: dict[int, float]) -> None:
    axes = panel(errors_over_epochs({"A": [curve]}, "", ""))
    bottom, top = axes.get_ylim()
    assert bottom < min(curve.values())
    assert max(curve.values()) < top
    assert not axes.texts


def test_the_end_of_every_seed_is_in_the_picture() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        rows = {
            str(row): [dict(enumerate((random.exponential(3, 8) + 0.5).tolist(), start=1)) for _ in range(3)]
            for row in range(4)
        }
        bottom, top = panel(errors_over_epochs(rows, "", "")).get_ylim()
        for seeds in rows.values():
            assert all(bottom < seed[8] < top for seed in seeds)


def test_a_diverged_seed_does_not_hide_the_others() -> None:
    axes = panel(errors_over_epochs({"A": [{1: 3.0, 2: float("nan")}], "B": [{1: 3.0, 2: 2.0}]}, "", ""))
    assert axes.get_legend().get_texts()[0].get_text() == "A, last nan"
    assert np.isfinite(axes.get_ylim()).all()
    panel(errors_over_epochs({"A": [{1: float("nan")}]}, "", ""))


def test_more_rows_than_colours_differ_by_their_dashes() -> None:
    axes = panel(errors_over_epochs({str(row): [{1: 1.0, 2: 0.5}] for row in range(9)}, "", ""))
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 9


def test_needs_rows_and_common_epochs() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        errors_over_epochs({}, "", "")
    with pytest.raises(ValueError, match="2 seeds of 'A' must have an epoch in common"):
        errors_over_epochs({"A": [{1: 1.0}, {2: 1.0}]}, "", "")
    with pytest.raises(ValueError, match="0 seeds of 'A'"):
        errors_over_epochs({"A": []}, "", "")
