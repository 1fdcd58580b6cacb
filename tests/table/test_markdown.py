from dataclasses import replace

import pytest
import scipy.stats

from lightning_vi.table.markdown import markdown
from lightning_vi.table.rows import Quotation, Row, Table
from lightning_vi.table.stored import Result

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
        Row("bayes-400", {"method": "Bayes", "units": 400}, ["b.yaml"], seeds=(0, 1, 2), paper=1.36),
        Row("sgd-400", {"method": "SGD", "units": 400}, ["s.yaml"], seeds=(0, 1), paper=1.83),
        Row("late", {"method": "Late", "units": 800}, ["l.yaml"], seeds=(0, 1), paper=1.34),
        Row("bayes-800", {"method": "Bayes", "units": 800}, ["b.yaml"], seeds=(0, 1), paper=2.04),
        Row("own", {"method": "A|B", "units": 800}, ["o.yaml"], seeds=(0,)),
    ),
    quotations=(Quotation({"method": "Dropconnect", "units": 800}, 1.2),),
)


def result(row: str, seed: int, minutes: float, **scores: float) -> Result:
    named = {name.replace("_", "/", 1): value for name, value in scores.items()}
    return Result(row, seed, "hash", {}, named, {}, 20, 478_410, minutes, "one core", "abc1234")


RESULTS = {
    "own": [result("own", 0, 1.0, test_error=2.0, val_error=2.25, test_nll=0.0625, test_ece=0.01)],
    "bayes-400": [
        result("bayes-400", 0, 2.0, test_error=1.4, test_error_mean=1.5, val_error=1.6, test_nll=0.05, test_ece=0.006),
        result("bayes-400", 1, 2.5, test_error=1.5, test_error_mean=1.6, val_error=1.7, test_nll=0.06, test_ece=0.007),
        result("bayes-400", 2, 3.0, test_error=1.6, test_error_mean=1.7, val_error=1.8, test_nll=0.07, test_ece=0.008),
    ],
    "sgd-400": [result("sgd-400", 1, 1.25, test_error=2.5, val_error=2.6, test_nll=0.1, test_ece=0.02)],
    "bayes-800": [
        result("bayes-800", 0, 4.0, test_error=1.0, test_error_mean=1.25, val_error=1.1, test_nll=0.04, test_ece=0.005),
        result("bayes-800", 1, 4.0, test_error=1.2, test_error_mean=1.25, val_error=1.3, test_nll=0.04, test_ece=0.005),
    ],
}

# Standard errors of the differences, in squares:
# bayes-400: 0.01 / 3 + 0.01 + 1.5 * 98.5 / 1e4 + 1.36 * 98.64 / 1e4 = 0.0415 = 0.20^2
# sgd-400:                     2.5 * 97.5 / 1e4 + 1.83 * 98.17 / 1e4 = 0.0423 = 0.21^2
# bayes-800: 0.02 / 2 + 0.02 + 1.1 * 98.9 / 1e4 + 2.04 * 97.96 / 1e4 = 0.0609 = 0.25^2
EXPECTED = """\
# Errors

`test/error` in %, lower is better: mean ± standard deviation over seeds (number of seeds), rounded to 0.01 here and \
to 4 significant digits in `errors.csv`. Protocol: quick. *At posterior mean*: the same score of the network whose \
weights are the posterior's means. *Paper* quotes Someone (2015), Table 1. *Ours − paper* stands with its standard \
error, and counts as better or worse beyond two of them. That error adds in squares the standard error of our mean, \
our standard deviation once more, since the paper's figure counts as one run with our spread, and the binomial \
standard errors of both rates on 10,000 test examples. Where both used the same test examples, independent binomial \
errors overstate it: the verdicts are cautious. † One seed: the spread between seeds is unknown and left out.

Made by `lightning-vi table --config errors.yaml`.

| method | units | test error, % | at posterior mean | paper | ours − paper | val error, % \
| test NLL per example, nats | test ECE | epochs | minutes |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| Bayes | 400 | 1.50 ± 0.10 (3) | 1.60 | 1.36 | +0.14 ± 0.20, within noise | 1.70 | 0.06 | 0.007 | 20 | 2.5 |
| SGD | 400 | 2.50 (1) |  | 1.83 | +0.67 ± 0.21†, worse | 2.60 | 0.1 | 0.02 | 20 | 1.25 |
| Late | 800 | missing |  | 1.34 |  |  |  |  |  |  |
| Bayes | 800 | 1.10 ± 0.14 (2) | 1.25 | 2.04 | −0.94 ± 0.25, better | 1.20 | 0.04 | 0.005 | 20 | 4 |
| A\\|B | 800 | 2.00 (1) |  |  |  | 2.25 | 0.0625 | 0.01 | 20 | 1 |
| Dropconnect | 800 | published, not run |  | 1.2 |  |  |  |  |  |  |

1 of 3 rows at or below the paper's figure; largest excess 0.67 % (sgd-400).

Missing: sgd-400 (seed 0); late (seeds 0, 1).

## Runs

| row | seed | test error, % | val error, % | minutes | commit |
| --- | ---: | ---: | ---: | ---: | --- |
| bayes-400 | 0 | 1.4 | 1.6 | 2 | abc1234 |
| bayes-400 | 1 | 1.5 | 1.7 | 2.5 | abc1234 |
| bayes-400 | 2 | 1.6 | 1.8 | 3 | abc1234 |
| sgd-400 | 1 | 2.5 | 2.6 | 1.25 | abc1234 |
| bayes-800 | 0 | 1 | 1.1 | 4 | abc1234 |
| bayes-800 | 1 | 1.2 | 1.3 | 4 | abc1234 |
| own | 0 | 2 | 2.25 | 1 | abc1234 |

Run on: one core.
"""


def test_the_whole_report() -> None:
    assert markdown(TABLE, RESULTS, "lightning-vi table --config errors.yaml") == EXPECTED


def test_a_regression_without_published_figures() -> None:
    table = Table("r", "Regression", "test/rmse", [Row("a", {"net": "A"}, ["a.yaml"], seeds=(0, 1))])
    results = {"a": [result("a", 0, 0.5, test_rmse=0.01), result("a", 1, 0.5, test_rmse=0.03)]}
    assert markdown(table, results, "make it") == (
        "# Regression\n\n"
        "`test/rmse`, lower is better: mean ± standard deviation over seeds (number of seeds), rounded to 0.0001 here "
        "and to 4 significant digits in `r.csv`.\n\n"
        "Made by `make it`.\n\n"
        "| net | test RMSE | epochs | minutes |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| A | 0.0200 ± 0.0141 (2) | 20 | 0.5 |\n\n"
        "## Runs\n\n"
        "| row | seed | test RMSE | minutes | commit |\n"
        "| --- | ---: | ---: | ---: | --- |\n"
        "| a | 0 | 0.01 | 0.5 | abc1234 |\n"
        "| a | 1 | 0.03 | 0.5 | abc1234 |\n\n"
        "Run on: one core.\n"
    )


def test_published_figures_of_a_regression() -> None:
    table = Table("r", "R", "test/rmse", [Row("a", {"net": "A"}, ["a.yaml"], seeds=(0,), paper=0.25)], source="S")
    text = markdown(table, {"a": [result("a", 0, 0.5, test_rmse=0.5)]}, "make it")
    assert "| A | 0.500 (1) | 0.25 | +0.250† | 20 | 0.5 |" in text
    assert "that of a finite test set is not in it. † One seed" in text
    assert "0 of 1 rows at or below the paper's figure; largest excess 0.250 (a)." in text


def test_where_higher_is_better() -> None:
    rows = [
        Row(name, {"net": name}, ["a.yaml"], seeds=(0, 1), paper=paper)
        for name, paper in (("a", 98.0), ("b", 90.0), ("c", 95.0))
    ]
    table = Table("t", "T", "test/accuracy", rows, unit="%", higher_is_better=True)
    results = {
        name: [result(name, seed, 0.5, test_accuracy=value + seed / 10) for seed in (0, 1)]
        for name, value in (("a", 95.0), ("b", 95.0), ("c", 94.0))
    }
    text = markdown(table, results, "make it")
    assert "`test/accuracy` in %, higher is better: mean" in text
    # Standard errors: sqrt(0.005 / 2 + 0.005) = 0.087.
    assert "| a | 95.0 ± 0.1 (2) | 98 | −3.0 ± 0.1, worse |" in text
    assert "| b | 95.0 ± 0.1 (2) | 90 | +5.0 ± 0.1, better |" in text
    assert "1 of 3 rows at or above the paper's figure; largest shortfall 3.0 % (a)." in text


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_few_seeds_alone_are_a_low_bar(seeds: int) -> None:
    row = Row("a", {"net": "A"}, ["a.yaml"], seeds=tuple(range(seeds)), paper=0.25)
    results = {"a": [result("a", seed, 0.5, test_rmse=0.5 + seed) for seed in range(seeds)]}
    table = Table("r", "R", "test/rmse", [row])
    sentence = "is not in it, and with 2 or 3 seeds two of them are a low bar: Student's t asks for 12.7 or 4.3."
    assert (sentence in markdown(table, results, "make it")) is (seeds in (2, 3))
    assert ("of a finite test set is not in it." in markdown(table, results, "make it")) is (seeds not in (2, 3))
    assert "low bar" not in markdown(replace(table, examples=100), results, "make it")


def test_few_seeds_are_as_few_as_student_says() -> None:
    assert [round(float(scipy.stats.t.ppf(0.975, degrees)), 1) for degrees in (1, 2)] == [12.7, 4.3]


def test_seeds_that_were_trained_together_are_told() -> None:
    text = "Trained together, with equal parts of the time: bayes-400 (seeds 1, 2)."
    assert text not in markdown(TABLE, RESULTS, "")
    alone, *together = RESULTS["bayes-400"]
    results = {**RESULTS, "bayes-400": [alone, *(replace(each, together=2) for each in together)]}
    assert text in markdown(TABLE, results, "")


def test_before_the_first_run() -> None:
    text = markdown(TABLE, {}, "make it")
    assert "| Bayes | 400 | missing | 1.36 |" in text
    assert "Missing: bayes-400 (seeds 0, 1, 2); sgd-400 (seeds 0, 1)" in text
    assert text.endswith("## Runs\n\nNone yet.\n")
