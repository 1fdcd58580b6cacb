"""Tables of text: drawn on a terminal, aligned plain lines elsewhere, or as Markdown."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Column:
    """A column of text.

    Attributes:
        heading: Its heading; where no column has one, the table has no line of headings.
        cells: A cell for each line.
        is_number: Whether the cells belong at the right.
    """

    heading: str
    cells: Sequence[str]
    is_number: bool = True


def show(title: str, columns: Sequence[Column]) -> None:
    """Print a table: drawn on a terminal, plain lines elsewhere, so that a log or a pipe gets whole cells."""
    if sys.stdout.isatty():
        Console().print(_drawn(title, columns))
    else:
        print("\n".join([title, *_aligned(columns)]))


def markdown(columns: Sequence[Column]) -> str:
    """The table in Markdown, without a line break at its end."""
    rules = ["---:" if column.is_number else "---" for column in columns]
    lines = [[column.heading for column in columns], rules, *_lines(columns)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _lines(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    return list(zip(*(column.cells for column in columns), strict=True))


def _has_headings(columns: Sequence[Column]) -> bool:
    return any(column.heading for column in columns)


def _drawn(title: str, columns: Sequence[Column]) -> Table:
    # As `Text`, or a bracket in a cell would be taken for markup.
    table = Table(title=Text(title), title_justify="left", title_style="bold", show_header=_has_headings(columns))
    for column in columns:
        table.add_column(Text(column.heading), justify="right" if column.is_number else "left", overflow="fold")
    for line in _lines(columns):
        table.add_row(*map(Text, line))
    return table


def _aligned(columns: Sequence[Column]) -> list[str]:
    texts = []
    for column in columns:
        cells = [*([column.heading] if _has_headings(columns) else []), *column.cells]
        width = max(map(len, cells), default=0)
        texts.append([f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}" for cell in cells])
    return ["  " + "  ".join(line).rstrip() for line in zip(*texts, strict=True)]
