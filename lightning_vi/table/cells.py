"""A table's cells as text, for the terminal and for Markdown."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lightning_vi.plots.style import number
from lightning_vi.summary import LABELS
from lightning_vi.table.aggregate import Aggregate
from lightning_vi.table.rows import Label, Table
from lightning_vi.text_table import Column

ONE_SEED = "†"
"""Marks a standard error without the spread between seeds."""


@dataclass(frozen=True)
class _Line:
    labels: Mapping[str, Label]
    paper: float | None
    ours: Aggregate | None
    otherwise: str


def comparison(table: Table, aggregates: Sequence[Aggregate]) -> list[Column]:
    """Labels, our metric, the published one and their difference; a column without any content is left out.

    A column has a cell for each row of the table, then one for each quotation.
    """
    lines = _lines(table, aggregates)
    places = decimals(table, aggregates)
    return [
        *(
            Column(key, [str(line.labels[key]) for line in lines], not isinstance(first, str))
            for key, first in table.rows[0].labels.items()
        ),
        *_not_empty(
            Column(heading(table.metric, table.unit), [_ours(line, places) for line in lines]),
            Column(
                "at posterior mean",
                [_fixed(line.ours.posterior_mean if line.ours else None, places) for line in lines],
            ),
            Column("paper", [figure(line.paper) for line in lines]),
            Column("ours − paper", [_difference(line.ours, places) for line in lines]),
        ),
    ]


def details(table: Table, aggregates: Sequence[Aggregate]) -> list[Column]:
    """Further scores, epochs and minutes; a column without any content is left out."""
    ours = [line.ours for line in _lines(table, aggregates)]
    places = decimals(table, aggregates)
    return _not_empty(
        Column(
            heading(table.validation or "", table.unit),
            [_fixed(each.validation if each else None, places) for each in ours],
        ),
        *(
            Column(heading(name), [figure(each.scores[index], 3) if each else "" for each in ours])
            for index, name in enumerate(table.scores)
        ),
        Column("epochs", [each.distinct("epochs") if each else "" for each in ours]),
        Column("minutes", [figure(each.minutes, 3) if each else "" for each in ours]),
    )


def heading(score: str, unit: str = "") -> str:
    """A score as a heading with its unit, e.g. `test error, %`; without a unit, with that of the command line."""
    split, _, leaf = score.rpartition("/")
    label, form = LABELS.get(leaf, (leaf, ""))
    return ", ".join(filter(None, (f"{split} {label}".strip(), unit or form.rpartition("}")[2].strip())))


def figure(value: float | None, digits: int = 4) -> str:
    """A number rounded to significant digits, without an exponent and without zeros at its end."""
    # Adding 0 turns -0 into 0.
    return "" if value is None else f"{Decimal(f'{value:.{digits}g}') + 0:f}"


def decimals(table: Table, aggregates: Sequence[Aggregate]) -> int:
    """Decimals for the metric in all rows: those that give the median of our means three significant digits."""
    sizes = [abs(each.mean) for each in aggregates if each.mean and math.isfinite(each.mean)]
    return max(0, 2 - math.floor(math.log10(statistics.median(sizes)))) if sizes else 2


def _lines(table: Table, aggregates: Sequence[Aggregate]) -> list[_Line]:
    by_name = {each.row.name: each for each in aggregates}
    rows = [_Line(row.labels, row.paper, by_name.get(row.name), "missing") for row in table.rows]
    return rows + [_Line(each.labels, each.paper, None, "published, not run") for each in table.quotations]


def _not_empty(*columns: Column) -> list[Column]:
    return [column for column in columns if any(column.cells)]


def _fixed(value: float | None, places: int) -> str:
    return "" if value is None else number(value, f"z.{places}f")


def _ours(line: _Line, places: int) -> str:
    if line.ours is None:
        return line.otherwise
    spread = "" if line.ours.std is None else f" ± {_fixed(line.ours.std, places)}"
    return f"{_fixed(line.ours.mean, places)}{spread} ({len(line.ours.runs)})"


def _difference(ours: Aggregate | None, places: int) -> str:
    if ours is None or ours.difference is None:
        return ""
    difference = ours.difference
    mark = ONE_SEED if ours.std is None else ""
    error = "" if difference.error is None else f" ± {_fixed(difference.error, places)}"
    return ", ".join(filter(None, (f"{number(difference.value, f'+z.{places}f')}{error}{mark}", difference.verdict)))
