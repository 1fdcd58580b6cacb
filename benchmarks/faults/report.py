"""What the sections have counted: ``reliability.csv`` and the page that is made of it."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lightning_vi.text_table import Column, markdown

HEAD = """# Reliability

Command: `OMP_NUM_THREADS=1 python -m benchmarks.faults [SECTION ...]`; a line is replaced when its case is tried again.
[docs/reliability.md](../docs/reliability.md) says what a trial does and what counts as a failure.

"""


@dataclass(frozen=True)
class Count:
    """A line of ``reliability.csv``: how often something was tried and how often it failed.

    Attributes:
        section: Name of the section's file.
        case: What was tried.
        trials: How often.
        failures: How many of these did not end as they must.
        seconds: Time of all of them.
        device: In words.
        commit: Of the source.
    """

    section: str
    case: str
    trials: int
    failures: int
    seconds: float
    device: str
    commit: str


def update(folder: Path, counts: Sequence[Count]) -> None:
    """Put lines into ``reliability.csv``, in place of older ones, and make ``reliability.md`` of all lines."""
    path = folder / "reliability.csv"
    names = [each.name for each in fields(Count)]
    lines = {}
    if path.is_file():
        with path.open(newline="") as file:
            lines = {(line["section"], line["case"]): line for line in csv.DictReader(file)}
    for count in counts:
        lines[count.section, count.case] = {name: str(value) for name, value in asdict(count).items()}
    rows = sorted(lines.values(), key=lambda line: line["section"])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    words = ("section", "case", "device", "commit")
    columns = [Column(name, [line[name] for line in rows], is_number=name not in words) for name in names]
    soak = folder / "soak.md"
    page = HEAD + markdown(columns) + "\n" + (f"\n## Soak\n\n{soak.read_text()}" if soak.is_file() else "")
    (folder / "reliability.md").write_text(page)
