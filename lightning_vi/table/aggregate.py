r"""Statistics of rows over their seeds, and the uncertainty of their distance from published figures.

Over $n$ seeds a row has the mean $m$ and the standard deviation $s$ (with $n - 1$ degrees of freedom). The published
figure $p$ comes from seeds that nobody knows; it counts as one run with our spread. An error rate $r$ in percent that
is measured on $N$ test examples carries besides a binomial standard error of $b(r) = \sqrt{r (100 - r) / N}$
percentage points. The difference $m - p$ thus has the standard error

$$\sqrt{s^2 / n + s^2 + b(m)^2 + b(p)^2}.$$

Where both figures come from the same test examples, part of their binomial errors cancels: the formula is cautious.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightning_vi.errors import UserError
from lightning_vi.nearest import did_you_mean
from lightning_vi.table.rows import Row, Table
from lightning_vi.table.stored import Result

Results = Mapping[str, Sequence[Result]]
"""For names of rows their results, by ascending seed."""


@dataclass(frozen=True)
class Difference:
    """Our mean less the published figure, in the metric's unit.

    Attributes:
        value: The difference.
        error: Its standard error; none where nothing is known of it.
        higher_is_better: Whether a larger metric is a better one.
    """

    value: float
    error: float | None
    higher_is_better: bool = False

    @property
    def deficit(self) -> float:
        """By how much we are worse; below 0 where we are better."""
        return -self.value if self.higher_is_better else self.value

    @property
    def verdict(self) -> str:
        """`better` or `worse` beyond two standard errors, else `within noise`; empty where that is unknown."""
        if self.error is None or not math.isfinite(self.value):
            return ""
        if abs(self.value) <= 2 * self.error:
            return "within noise"
        return "better" if self.deficit < 0 else "worse"


@dataclass(frozen=True)
class Aggregate:
    """A row over its seeds.

    Attributes:
        row: The row.
        runs: Its results, at least one.
        mean: Mean of the metric.
        std: Standard deviation of the metric; none with one seed.
        posterior_mean: Mean of the metric of the networks at the posterior mean, if all runs have it.
        validation: Mean of the validation score, if the table has one and all runs have it.
        scores: Means of the table's further scores; none where a run lacks it.
        minutes: Mean time of a run.
        difference: From the published figure, if there is one.
    """

    row: Row
    runs: Sequence[Result]
    mean: float
    std: float | None
    posterior_mean: float | None
    validation: float | None
    scores: Sequence[float | None]
    minutes: float
    difference: Difference | None

    @property
    def reaches_paper(self) -> bool:
        """Whether the mean is at the published figure or better."""
        if self.row.paper is None or self.difference is None:
            return False
        # Scores come in single precision: a mean of 1.4400001 is at 1.44.
        return self.difference.deficit <= 0 or math.isclose(self.mean, self.row.paper, rel_tol=1e-6)

    def distinct(self, attribute: str) -> str:
        """What the runs have for an attribute of `Result`, e.g. the device: each value once."""
        return "; ".join(dict.fromkeys(str(getattr(run, attribute)) for run in self.runs))


def aggregate(table: Table, results: Results) -> list[Aggregate]:
    """The table's rows that have results, in its order.

    Raises:
        UserError: If a run lacks the metric, if no run has another score of the table, or if `examples` is given
            and the metric is no percentage.
    """
    _check_scores(table, [run for row in table.rows for run in results.get(row.name, ())])
    return [_aggregate(table, row, results[row.name]) for row in table.rows if results.get(row.name)]


def missing(table: Table, results: Results) -> dict[str, list[int]]:
    """For names of rows the seeds that have no result."""
    present = {row.name: {run.seed for run in results.get(row.name, ())} for row in table.rows}
    absent = {row.name: [seed for seed in row.seeds if seed not in present[row.name]] for row in table.rows}
    return {name: seeds for name, seeds in absent.items() if seeds}


def rows_with_curve(table: Table, results: Results) -> tuple[list[Row], list[Row]]:
    """The rows of the table's figure that have run: those all of whose runs have its curve, and the others."""
    if table.figure is None:
        return [], []
    curve, names = table.figure.curve, table.figure.rows
    rows = [row for row in table.rows if row.name in names and results.get(row.name)]
    complete = [row for row in rows if all(run.curves.get(curve) for run in results[row.name])]
    return complete, [row for row in rows if row not in complete]


def _check_scores(table: Table, runs: Sequence[Result]) -> None:
    for run in runs:
        if table.metric not in run.scores:
            hint = did_you_mean(table.metric, list(run.scores))
            raise UserError(
                f"{table.name}: row '{run.row}', seed {run.seed} has no score '{table.metric}', the table's metric; "
                f"it has {', '.join(run.scores)}.{hint}"
            )
    known = list(dict.fromkeys(name for run in runs for name in run.scores))
    for name in filter(None, (table.validation, *table.scores)):
        if runs and name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"{table.name}: no run has the score '{name}'; they have {', '.join(known)}.{hint}")


def _aggregate(table: Table, row: Row, runs: Sequence[Result]) -> Aggregate:
    values = [run.scores[table.metric] for run in runs]
    mean = sum(values) / len(values)
    std = None
    if len(values) > 1:
        std = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Aggregate(
        row=row,
        runs=runs,
        mean=mean,
        std=std,
        posterior_mean=_mean(runs, f"{table.metric}_mean"),
        validation=None if table.validation is None else _mean(runs, table.validation),
        scores=[_mean(runs, name) for name in table.scores],
        minutes=sum(run.minutes for run in runs) / len(runs),
        difference=None if row.paper is None else _difference(table, mean, std, len(runs), row.paper),
    )


def _mean(runs: Sequence[Result], score: str) -> float | None:
    # Over some of the runs it would be no figure of the row.
    if any(score not in run.scores for run in runs):
        return None
    return sum(run.scores[score] for run in runs) / len(runs)


def _difference(table: Table, mean: float, std: float | None, seeds: int, paper: float) -> Difference:
    variances = []
    if std is not None:
        variances += [std**2 / seeds, std**2]
    if table.examples is not None:
        variances += [_binomial_variance(table, rate) for rate in (mean, paper)]
    error = math.sqrt(sum(variances)) if variances else None
    return Difference(mean - paper, error, table.higher_is_better)


def _binomial_variance(table: Table, rate: float) -> float:
    assert table.examples is not None
    if rate < 0 or rate > 100:
        raise UserError(
            f"{table.name}: {table.metric} (={rate:g}) must be an error rate in percent where `examples` is given; "
            "leave `examples` out for another metric."
        )
    return rate * (100 - rate) / table.examples
