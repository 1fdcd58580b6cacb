import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table.report import columns, csv_text, draw, show, write
from lightning_vi.table.rows import CurvesFigure, Quotation, Row, Table
from lightning_vi.table.stored import Result

HEADER = (
    "method,units,weights,seeds,epochs,protocol,test_error_mean,test_error_std,test_error_posterior_mean,"
    "paper_error,val_error_mean,nll_mean,ece_mean,minutes,device,commit"
)
TABLE = Table(
    name="errors",
    title="Errors",
    metric="test/error",
    unit="%",
    examples=10_000,
    validation="val/error",
    scores=("test/nll", "test/ece"),
    protocol="quick",
    source="Someone (2015), Table 1",
    rows=(
        Row("sgd", {"method": "SGD", "units": 400}, ["s.yaml"], seeds=(0,), paper=1.83),
        Row("late", {"method": "Late", "units": 400}, ["l.yaml"], seeds=(0,), paper=1.5),
        Row("bayes", {"method": "BBB, scale mixture", "units": 400}, ["b.yaml"], seeds=(0, 1), paper=None),
    ),
    quotations=(Quotation({"method": "Dropconnect", "units": 800}, 1.2),),
    figure=CurvesFigure("figure2.png", "Test error", "test/error", ("bayes", "late", "sgd")),
)


def result(
    row: str, seed: int, scores: Mapping[str, float], curves: Mapping[str, Mapping[int, float]], commit: str
) -> Result:
    return Result(row, seed, "hash", {}, scores, curves, 20, 478_410 * (1 + (row == "bayes")), 1 / 3, "cpu", commit)


RESULTS = {
    "bayes": [
        result(
            "bayes",
            seed,
            {"test/error": error, "test/error_mean": 1.54, "val/error": 1.6, "test/nll": 0.05, "test/ece": 0.006},
            {"test/error": {5: 2.0 + seed, 10: error}},
            commit,
        )
        for seed, error, commit in ((0, 1.4, "abc"), (1, 1.5, "def"))
    ],
    "sgd": [
        result(
            "sgd",
            0,
            {"test/error": 1.84444, "val/error": 1.9, "test/nll": 0.0712345, "test/ece": 0.01},
            {"test/error": {5: 2.5, 10: 1.84444}},
            "abc",
        )
    ],
}


def test_csv() -> None:
    # The standard deviation of 1.4 and 1.5 is 0.1 / sqrt 2.
    assert csv_text(TABLE, RESULTS) == (
        f"{HEADER}\n"
        "SGD,400,478410,1,20,quick,1.844,,,1.83,1.9,0.07123,0.01,0.3333,cpu,abc\n"
        '"BBB, scale mixture",400,956820,2,20,quick,1.45,0.07071,1.54,,1.6,0.05,0.006,0.3333,cpu,abc; def\n'
    )


def test_csv_of_a_regression() -> None:
    table = Table("r", "R", "test/rmse", [Row("a", {"net": "A"}, ["a.yaml"], seeds=(0,))])
    assert csv_text(table, {"a": [result("a", 0, {"test/rmse": 2.5}, {}, "abc")]}) == (
        "net,weights,seeds,epochs,protocol,test_rmse_mean,test_rmse_std,test_rmse_posterior_mean,paper_rmse,"
        "minutes,device,commit\n"
        "A,478410,1,20,,2.5,,,,0.3333,cpu,abc\n"
    )


def test_csv_without_results_is_its_header() -> None:
    assert csv_text(TABLE, {}) == f"{HEADER}\n"


def test_columns_of_one_name_are_refused() -> None:
    assert columns(TABLE) == HEADER.split(",")
    twice = replace(TABLE, scores=("test/nll", "val/nll"))
    with pytest.raises(UserError, match="two columns of the CSV are called 'nll_mean'"):
        columns(twice)
    with pytest.raises(UserError, match="two columns of the CSV are called 'nll_mean'"):
        csv_text(twice, RESULTS)


def test_writes_the_same_bytes_again(tmp_path: Path) -> None:
    first = write(TABLE, RESULTS, "make it", tmp_path / "a" / "b")
    again = write(TABLE, RESULTS, "make it", tmp_path / "c")
    assert [path.name for path in first] == ["errors.csv", "errors.md", "figure2.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert first[0].read_text() == csv_text(TABLE, RESULTS)
    assert "Made by `make it`." in first[1].read_text()


def test_writes_no_figure_before_its_rows_have_run(tmp_path: Path) -> None:
    assert [path.name for path in write(TABLE, {}, "make it", tmp_path)] == ["errors.csv", "errors.md"]


def test_figure_in_its_own_order_named_by_what_differs() -> None:
    figure = draw(TABLE, RESULTS)
    assert figure is not None
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["BBB, scale mixture, last 1.45", "SGD, last 1.84"]
    assert axes.get_ylabel() == "test error, %"


def test_one_row_of_a_figure_goes_by_its_name() -> None:
    figure = draw(TABLE, {"sgd": RESULTS["sgd"]})
    assert figure is not None
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["sgd, last 1.84"]


def test_an_error_leaves_the_files_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(TABLE, {"sgd": RESULTS["sgd"]}, "make it", tmp_path)
    before = [path.read_bytes() for path in files]
    original = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        original(path, content[:10])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write(TABLE, RESULTS, "make it", tmp_path)
    assert [path.read_bytes() for path in files] == before
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_no_figure_is_asked_for() -> None:
    assert draw(replace(TABLE, figure=None), RESULTS) is None


def test_a_row_without_the_curve_is_left_out_of_the_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    partly = {**RESULTS, "bayes": [RESULTS["bayes"][0], replace(RESULTS["bayes"][1], curves={})]}
    drawn = draw(TABLE, partly)
    assert drawn is not None
    legend = drawn.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["sgd, last 1.84"]
    sentence = "figure2.png leaves out bayes: no curve test/error."
    _, report, _ = write(TABLE, partly, "make it", tmp_path)
    assert sentence in report.read_text().splitlines()
    show(TABLE, partly)
    assert sentence in capsys.readouterr().out.splitlines()


def test_a_curve_that_no_run_has_gives_no_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert TABLE.figure is not None
    wrong = replace(TABLE, figure=replace(TABLE.figure, curve="test/nll"))
    assert draw(wrong, RESULTS) is None
    files = write(wrong, RESULTS, "make it", tmp_path)
    assert [path.name for path in files] == ["errors.csv", "errors.md"]
    sentence = "No figure2.png of sgd, bayes: no curve test/nll."
    assert sentence in files[1].read_text().splitlines()
    show(wrong, RESULTS)
    assert sentence in capsys.readouterr().out.splitlines()


def test_shows_aligned_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show(TABLE, RESULTS)
    # The binomial variances add up to (1.84444 * 98.15556 + 1.83 * 98.17) / 1e4 = 0.0361 = 0.19^2.
    assert capsys.readouterr().out == (
        "Errors\n"
        "  method              units       test error, %  at posterior mean  paper                 ours − paper\n"
        "  SGD                   400            1.84 (1)                      1.83  +0.01 ± 0.19†, within noise\n"
        "  Late                  400             missing                       1.5\n"
        "  BBB, scale mixture    400     1.45 ± 0.07 (2)               1.54\n"
        "  Dropconnect           800  published, not run                       1.2\n"
        "0 of 1 rows at or below the paper's figure; largest excess 0.01 % (sgd).\n"
        "Missing: late (seed 0).\n"
    )


def test_draws_the_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    bracketed = replace(TABLE.rows[0], labels={"method": "[red]", "units": 400})
    show(replace(TABLE, rows=(bracketed, *TABLE.rows[1:])), RESULTS)
    text = capsys.readouterr().out
    assert "1.45 ± 0.07 (2)" in text
    assert "┃" in text
    assert "[red]" in text
    assert "Missing: late (seed 0)." in text
