"""What a table consists of: rows that are trained, published rows beside them, and how both are shown."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from lightning_vi.errors import UserError
from lightning_vi.nearest import did_you_mean

Label = str | int | float


@dataclass(frozen=True)
class Row:
    """A recipe that is trained with several seeds.

    Attributes:
        name: Unique; names the files of its runs.
        labels: The row's first columns, the same keys in all rows of a table.
        configs: Configurations, later ones on top, as of `lightning-vi fit --config`.
        options: Options on top of them, e.g. `trainer.max_epochs`.
        seeds: Seeds to run; none: those of the table.
        paper: The published figure.
        grid: Options with several values each; the row stands for all their combinations.
    """

    name: str
    labels: Mapping[str, Label]
    configs: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = ()
    paper: float | None = None
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Quotation:
    """A published row that is not run.

    Attributes:
        labels: As those of a row.
        paper: The published figure.
    """

    labels: Mapping[str, Label]
    paper: float


@dataclass(frozen=True)
class CurvesFigure:
    """A picture of a score over epochs.

    Attributes:
        file: Its file name, e.g. `figure2.png`.
        title: Its title.
        curve: The score, e.g. `test/error`.
        rows: Names of the rows to draw.
    """

    file: str
    title: str
    curve: str
    rows: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: Names its files, and the folder of its runs.
        title: Its title.
        metric: The score that it is about, as the module logs it, e.g. `test/error`.
        rows: What is trained.
        seeds: Seeds of the rows that give none.
        unit: Unit of the metric, e.g. `%`.
        higher_is_better: Whether a larger metric is a better one, e.g. an accuracy.
        examples: Number of test examples, if the metric is an error rate in percent: gives its binomial error.
        validation: The score by which one may choose, e.g. `val/error`.
        scores: Further scores to show.
        protocol: What the rows have in common, in a word.
        source: What the published figures are quoted from.
        quotations: Published rows that are not run.
        figure: A picture beside the table.
    """

    name: str
    title: str
    metric: str
    rows: Sequence[Row]
    seeds: Sequence[int] = (0,)
    unit: str = ""
    higher_is_better: bool = False
    examples: int | None = None
    validation: str | None = None
    scores: Sequence[str] = ()
    protocol: str = ""
    source: str = ""
    quotations: Sequence[Quotation] = ()
    figure: CurvesFigure | None = None


def complete(table: Table) -> Table:
    """The table with its grids written out and a seed for every run.

    Raises:
        UserError: if names or labels contradict each other.
    """
    rows = tuple(
        replace(each, seeds=tuple(dict.fromkeys(each.seeds or table.seeds)))
        for row in table.rows
        for each in _combinations(row)
    )
    _require_file_name(table.name, "name of the table")
    if table.figure is not None:
        _require_file_name(table.figure.file, f"{table.name}: figure: file")
        if not table.figure.file.endswith(".png"):
            raise UserError(f"{table.name}: figure: file '{table.figure.file}' must end in .png.")
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{table.name}: two rows are called '{name}'.")
        _require_file_name(name, f"{table.name}: row name")
    if not rows:
        raise UserError(f"{table.name}: there are no rows.")
    if table.examples is not None and table.examples < 1:
        raise UserError(f"{table.name}: examples (={table.examples}) must be positive.")
    for row in rows:
        if not row.configs:
            raise UserError(f"{table.name}: row '{row.name}' names no configuration.")
        _require_seeds(row.seeds, f"{table.name}: row '{row.name}': seeds")
    entries: list[Row | Quotation] = [*rows, *table.quotations]
    for each in entries:
        if list(each.labels) != list(rows[0].labels):
            raise UserError(
                f"{table.name}: labels {list(each.labels)} differ from those of row '{rows[0].name}', "
                f"{list(rows[0].labels)}; all rows need the same, in the same order."
            )
    for name in () if table.figure is None else table.figure.rows:
        if name not in names:
            raise UserError(f"{table.name}: figure: there is no row '{name}'.{did_you_mean(name, names)}")
    return replace(table, rows=rows)


def _require_file_name(name: str, what: str) -> None:
    if not name or set(name) & set("/\\*?[] "):
        raise UserError(f"{what} '{name}' must be fit for a file name: no blank, / or *.")


def _require_seeds(seeds: Sequence[int], what: str) -> None:
    if not seeds or min(seeds) < 0:
        raise UserError(f"{what} (={list(seeds)}) must be numbers from 0 on, at least one.")


def _combinations(row: Row) -> list[Row]:
    if not row.grid:
        return [row]
    for option, values in row.grid.items():
        if not values:
            raise UserError(f"Row '{row.name}': grid: {option} has no value.")
    rows = []
    for values in itertools.product(*row.grid.values()):
        chosen = dict(zip(row.grid, values, strict=True))
        # The last part of an option's name tells enough, e.g. lr for model.optimizer.lr.
        settings = {option.rpartition(".")[2]: value for option, value in chosen.items()}
        if len(settings) < len(chosen):
            settings = chosen
        suffix = "-".join(f"{name}{value}" for name, value in settings.items())
        labels = {**row.labels, "settings": ", ".join(f"{name} {value}" for name, value in settings.items())}
        name = "".join("_" if character in "/\\*?[] ,'" else character for character in f"{row.name}-{suffix}")
        rows.append(replace(row, name=name, labels=labels, options={**row.options, **chosen}, grid={}))
    return rows


def select(table: Table, patterns: Sequence[str], seeds: Sequence[int]) -> Table:
    """The rows whose names match one of the patterns, with these seeds; without a pattern or a seed, all.

    Raises:
        UserError: if a pattern matches nothing.
    """
    if seeds:
        _require_seeds(seeds, "--seeds")
    names = [row.name for row in table.rows]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            hint = did_you_mean(pattern, names) or f" Rows: {', '.join(names)}."
            raise UserError(f"--rows {pattern}: no row of {table.name} matches.{hint}")
    return replace(
        table,
        rows=tuple(
            replace(row, seeds=tuple(dict.fromkeys(seeds or row.seeds)))
            for row in table.rows
            if not patterns or any(fnmatchcase(row.name, pattern) for pattern in patterns)
        ),
    )
