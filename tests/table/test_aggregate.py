import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table.aggregate import Difference, aggregate, missing, rows_with_curve
from lightning_vi.table.rows import CurvesFigure, Row, Table
from lightning_vi.table.stored import Result


def result(seed: int, **scores: float) -> Result:
    named = {name.replace("_", "/", 1): value for name, value in scores.items()}
    return Result("a", seed, "hash", {}, named, {}, 20, 10, 1.0 + seed, "cpu", "abc")


def table(
    paper: float | None = None,
    examples: int | None = None,
    validation: str | None = None,
    scores: Sequence[str] = (),
) -> Table:
    row = Row("a", {"method": "A"}, ["a.yaml"], seeds=(0, 1, 2), paper=paper)
    return Table("t", "T", "test/error", [row], examples=examples, validation=validation, scores=scores)


THREE = [result(seed, test_error=value) for seed, value in enumerate((1.4, 1.5, 1.6))]


def test_mean_and_standard_deviation_over_seeds() -> None:
    (row,) = aggregate(table(), {"a": THREE})
    assert row.mean == pytest.approx(1.5)
    assert row.std == pytest.approx(0.1)  # 0.02 / (3 - 1) is the variance
    assert row.minutes == 2
    assert row.difference is None
    assert not row.reaches_paper


def test_one_seed_has_no_standard_deviation() -> None:
    (row,) = aggregate(table(), {"a": THREE[:1]})
    assert (row.mean, row.std) == (1.4, None)


def test_error_of_a_difference() -> None:
    # 0.1^2 / 3 + 0.1^2 + 1.5 * 98.5 / 10000 + 1.36 * 98.64 / 10000 = 0.0415234
    (row,) = aggregate(table(paper=1.36, examples=10_000), {"a": THREE})
    assert row.difference is not None
    assert row.difference.value == pytest.approx(0.14)
    assert row.difference.error == pytest.approx(0.203773, rel=1e-5)
    assert row.difference.verdict == "within noise"


def test_error_of_a_difference_without_what_is_unknown() -> None:
    (seeds,) = aggregate(table(paper=1.0), {"a": THREE})
    assert seeds.difference is not None
    assert seeds.difference.error == pytest.approx(0.1 * math.sqrt(4 / 3))
    assert seeds.difference.verdict == "worse"
    (examples,) = aggregate(table(paper=1.4, examples=10_000), {"a": THREE[:1]})
    assert examples.difference is not None
    assert examples.difference.error == pytest.approx(math.sqrt(2 * 1.4 * 98.6 / 10_000))
    (neither,) = aggregate(table(paper=1.0), {"a": THREE[:1]})
    assert neither.difference is not None
    assert (neither.difference.error, neither.difference.verdict) == (None, "")


def test_verdicts_at_two_standard_errors() -> None:
    verdicts = [Difference(value, 0.5).verdict for value in (-1.01, -1.0, 1.0, 1.01, math.nan)]
    assert verdicts == ["better", "within noise", "within noise", "worse", ""]
    verdicts = [Difference(value, 0.5, higher_is_better=True).verdict for value in (-1.01, -1.0, 1.0, 1.01, math.nan)]
    assert verdicts == ["worse", "within noise", "within noise", "better", ""]


@pytest.mark.parametrize(("value", "reaches"), [(1.3, True), (1.3600001, True), (1.361, False), (math.nan, False)])
def test_reaches_the_paper_within_single_precision(value: float, reaches: bool) -> None:
    (row,) = aggregate(table(paper=1.36), {"a": [result(0, test_error=value)]})
    assert row.reaches_paper is reaches


@pytest.mark.parametrize(("value", "reaches"), [(1.4, True), (1.3599999, True), (1.359, False), (math.nan, False)])
def test_reaches_the_paper_from_above_where_higher_is_better(value: float, reaches: bool) -> None:
    (row,) = aggregate(replace(table(paper=1.36), higher_is_better=True), {"a": [result(0, test_error=value)]})
    assert row.reaches_paper is reaches
    assert row.difference is not None
    assert row.difference.deficit == pytest.approx(1.36 - value, nan_ok=True)


def test_a_diverged_run_has_no_verdict() -> None:
    (row,) = aggregate(table(paper=1.0, examples=100), {"a": [THREE[0], result(1, test_error=math.nan)]})
    assert math.isnan(row.mean)
    assert row.difference is not None
    assert row.difference.verdict == ""


def test_further_scores_are_means_over_all_runs_or_nothing() -> None:
    runs = [
        result(0, test_error=1.0, test_error_mean=2.0, val_error=3.0, test_nll=0.1, test_ece=0.5),
        result(1, test_error=1.0, test_error_mean=4.0, val_error=4.0, test_nll=0.2),
    ]
    (row,) = aggregate(table(validation="val/error", scores=("test/nll", "test/ece")), {"a": runs})
    assert (row.posterior_mean, row.validation) == (3.0, 3.5)
    assert row.scores == [pytest.approx(0.15), None]


def test_distinct_values_of_the_runs() -> None:
    (row,) = aggregate(table(), {"a": THREE})
    assert (row.distinct("device"), row.distinct("seed")) == ("cpu", "0; 1; 2")


def test_missing_seeds() -> None:
    assert missing(table(), {"a": THREE[1:2]}) == {"a": [0, 2]}
    assert missing(table(), {}) == {"a": [0, 1, 2]}
    assert missing(table(), {"a": THREE}) == {}
    assert aggregate(table(), {"a": []}) == []


def test_rows_of_a_figure_with_its_curve_and_without() -> None:
    names = ("a", "b", "c", "d")
    rows = [Row(name, {"method": name}, ["a.yaml"]) for name in names]
    drawn = replace(table(), rows=rows, figure=CurvesFigure("f.png", "F", "test/error", names[:3]))
    complete = replace(THREE[0], curves={"test/error": {1: 2.0}})
    results = {"a": [complete], "b": [complete, THREE[1]], "c": [], "d": [complete, THREE[1]]}
    assert rows_with_curve(drawn, results) == ([rows[0]], [rows[1]])
    assert rows_with_curve(replace(drawn, figure=None), results) == ([], [])


def test_a_mistyped_score_is_named() -> None:
    with pytest.raises(UserError, match=r"'a', seed 0 has no score 'test/error'.*it has test/eror.*Did you mean"):
        aggregate(table(), {"a": [result(0, test_eror=1.0)]})
    with pytest.raises(UserError, match=r"no run has the score 'test/nl'; they have test/error."):
        aggregate(table(scores=("test/nl",)), {"a": THREE})
    assert aggregate(table(scores=("test/nl",)), {}) == []


@pytest.mark.parametrize("value", [-0.1, 100.1])
def test_binomial_errors_need_percentages(value: float) -> None:
    with pytest.raises(UserError, match="must be an error rate in percent"):
        aggregate(table(paper=1.0, examples=10), {"a": [result(0, test_error=value)]})
