"""A table's report: its files, and the table on the terminal. The same results give the same bytes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from lightning_vi import text_table
from lightning_vi.errors import UserError
from lightning_vi.plots.error_curves import errors_over_epochs
from lightning_vi.table.aggregate import Aggregate, Results, aggregate, rows_with_curve
from lightning_vi.table.cells import comparison, figure, heading
from lightning_vi.table.markdown import markdown, summary
from lightning_vi.table.rows import CurvesFigure, Row, Table
from lightning_vi.whole_file import whole


def write(table: Table, results: Results, command: str, folder: Path) -> list[Path]:
    """Write NAME.csv, NAME.md and, once one of its rows has run, the figure, each whole or not at all; the files.

    Args:
        table: The table, complete.
        results: The results of its rows, by ascending seed; rows may lack some or all.
        command: The command that makes the report, for the Markdown.
        folder: Where they go; it is made where absent.

    Raises:
        UserError: If the table asks for scores that the runs do not have.
    """
    files = {
        f"{table.name}.csv": csv_text(table, results).encode(),
        f"{table.name}.md": markdown(table, results, command).encode(),
    }
    curves = draw(table, results)
    if table.figure is not None and curves is not None:
        picture = io.BytesIO()
        curves.savefig(picture, format="png")
        files[table.figure.file] = picture.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with whole(folder / name) as part:
            part.write_bytes(content)
    return [folder / name for name in files]


def columns(table: Table) -> list[str]:
    """Names of the CSV's columns.

    Raises:
        UserError: If two would have the same name.
    """
    metric = table.metric.replace("/", "_")
    names = [
        *table.rows[0].labels,
        *("weights", "seeds", "epochs", "protocol"),
        *(f"{metric}_mean", f"{metric}_std", f"{metric}_posterior_mean", f"paper_{_leaf(table.metric)}"),
        *([f"{table.validation.replace('/', '_')}_mean"] if table.validation else []),
        *(f"{_leaf(name)}_mean" for name in table.scores),
        *("minutes", "device", "commit"),
    ]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{table.name}: two columns of the CSV are called '{name}'; rename the label or score.")
    return names


def csv_text(table: Table, results: Results) -> str:
    """One line per row that has results; figures have 4 significant digits, what is unknown is empty.

    Raises:
        UserError: If two columns would have the same name, or if the table asks for scores that the runs do not have.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns(table))
    writer.writerows(_csv_line(table, each) for each in aggregate(table, results))
    return file.getvalue()


def show(table: Table, results: Results) -> None:
    """Print the table, and below it what it comes to."""
    aggregates = aggregate(table, results)
    text_table.show(table.title, comparison(table, aggregates))
    for sentence in summary(table, results, aggregates):
        print(sentence)


def draw(table: Table, results: Results) -> Figure | None:
    """The table's figure from the rows that have run, of which all runs have its curve; none without any such row."""
    if table.figure is None:
        return None
    rows, _ = rows_with_curve(table, results)
    if not rows:
        return None
    wanted, curve = table.figure, table.figure.curve
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
