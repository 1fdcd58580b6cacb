"""A table's report: its files, and the table on the terminal. The same results give the same bytes."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lightning_vi.errors import UserError
from lightning_vi.plots.error_curves import errors_over_epochs
from lightning_vi.table.aggregate import Aggregate, Results, aggregate
from lightning_vi.table.cells import Column, comparison, figure, heading
from lightning_vi.table.markdown import markdown, summary
from lightning_vi.table.rows import CurvesFigure, Row, Table


def write(table: Table, results: Results, command: str, folder: Path) -> list[Path]:
    """Write NAME.csv, NAME.md and, once one of its rows has run, the figure; the files.

    Args:
        table: The table, complete.
        results: The results of its rows, by ascending seed; rows may lack some or all.
        command: The command that makes the report, for the Markdown.
        folder: Where they go; it is made where absent.

    Raises:
        UserError: If the table asks for scores that the runs do not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{table.name}.csv": csv_text(table, results), f"{table.name}.md": markdown(table, results, command)}
    paths = [folder / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text, encoding="utf-8", newline="\n")
    curves = draw(table, results)
    if table.figure is not None and curves is not None:
        paths.append(folder / table.figure.file)
        curves.savefig(paths[-1])
    return paths


def csv_text(table: Table, results: Results) -> str:
    """One line per row that has results; figures have 4 significant digits, what is unknown is empty.

    Raises:
        UserError: If two columns would have the same name.
    """
    metric = table.metric.replace("/", "_")
    columns = [
        *table.rows[0].labels,
        *("weights", "seeds", "epochs", "protocol"),
        *(f"{metric}_mean", f"{metric}_std", f"{metric}_posterior_mean", f"paper_{_leaf(table.metric)}"),
        *([f"{table.validation.replace('/', '_')}_mean"] if table.validation else []),
        *(f"{_leaf(name)}_mean" for name in table.scores),
        *("minutes", "device", "commit"),
    ]
    for column in columns:
        if columns.count(column) > 1:
            raise UserError(f"{table.name}: two columns of the CSV are called '{column}'; rename the label or score.")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_csv_line(table, each) for each in aggregate(table, results))
    return file.getvalue()


def show(table: Table, results: Results) -> None:
    """Print the table: drawn on a terminal, plain aligned lines elsewhere."""
    aggregates = aggregate(table, results)
    columns = comparison(table, aggregates)
    if sys.stdout.isatty():
        drawn = RichTable(title=Text(table.title, "bold"), title_justify="left")
        for column in columns:
            drawn.add_column(Text(column.heading), justify="right" if column.is_number else "left")
        for line in zip(*(column.cells for column in columns), strict=True):
            drawn.add_row(*map(Text, line))
        Console().print(drawn)
    else:
        print("\n".join([table.title, *_aligned(columns)]))
    for sentence in summary(table, results, aggregates):
        print(sentence)


def draw(table: Table, results: Results) -> Figure | None:
    """The table's figure from the rows that have run; none without any, or if the table has no figure.

    Raises:
        UserError: If a run lacks the figure's curve.
    """
    if table.figure is None:
        return None
    wanted, curve = table.figure, table.figure.curve
    rows = [row for row in table.rows if row.name in wanted.rows and results.get(row.name)]
    if not rows:
        return None
    for row in rows:
        for run in results[row.name]:
            if not run.curves.get(curve):
                raise UserError(
                    f"{table.name}: figure: row '{row.name}', seed {run.seed} has no curve '{curve}'; "
                    f"it has {', '.join(run.curves) or 'none'}."
                )
    curves = {name: [run.curves[curve] for run in results[row.name]] for name, row in _names(rows, wanted).items()}
    return errors_over_epochs(curves, wanted.title, heading(curve, table.unit if curve == table.metric else ""))


def _names(rows: Sequence[Row], wanted: CurvesFigure) -> dict[str, Row]:
    """Rows in the figure's order, named by those labels in which they differ."""
    ordered = sorted(rows, key=lambda row: list(wanted.rows).index(row.name))
    differing = [key for key in rows[0].labels if len({row.labels[key] for row in rows}) > 1]
    named = {", ".join(str(row.labels[key]) for key in differing): row for row in ordered}
    return named if len(named) == len(rows) and "" not in named else {row.name: row for row in ordered}


def _leaf(score: str) -> str:
    return score.rpartition("/")[2]


def _csv_line(table: Table, each: Aggregate) -> list[str]:
    return [
        *(str(value) for value in each.row.labels.values()),
        *(each.distinct("weights"), str(len(each.runs)), each.distinct("epochs"), table.protocol),
        *map(figure, (each.mean, each.std, each.posterior_mean, each.row.paper)),
        *([figure(each.validation)] if table.validation else []),
        *map(figure, each.scores),
        *(figure(each.minutes), each.distinct("device"), each.distinct("commit")),
    ]


def _aligned(columns: Sequence[Column]) -> list[str]:
    texts = []
    for column in columns:
        cells = [column.heading, *column.cells]
        width = max(map(len, cells))
        texts.append([f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}" for cell in cells])
    return ["  " + "  ".join(line).rstrip() for line in zip(*texts, strict=True)]
