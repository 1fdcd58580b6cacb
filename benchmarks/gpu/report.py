"""The report of a run, rewritten after every line, so that a run that is stopped leaves what it has found.

``gpu.jsonl`` holds the lines in their order; ``gpu.csv`` and ``gpu.md`` are made of it. This file imports no PyTorch:
the script tells with it, too, that a part has been stopped.
"""

import csv
import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_vi.text_table import Column, markdown

PASS, FAIL, NEEDS_CUDA = "pass", "fail", "needs CUDA"
COLUMNS = ("name", "size", "ours", "reference", "ratio", "device", "commit")
HEAD = """# A GPU's figures

Command: `bash benchmarks/gpu.sh`. docs/gpu.md says what the figures and the checks are. Times are medians in
milliseconds unless a name says otherwise; the ratio is ours by the reference.

"""


class Check:
    """A check that is under way; what it finds goes into the report's remark."""

    def __init__(self) -> None:
        self.remark = ""

    def require(self, condition: bool, remark: str) -> None:
        """Note what was found, and fail unless it is as it should be."""
        self.remark = f"{self.remark}; {remark}" if self.remark else remark
        if not condition:
            raise AssertionError(self.remark)


@dataclass
class Report:
    """One part's way to the report.

    Args:
        folder: Where the files lie.
        part: What the lines belong to.
        device: In words.
        commit: Of the source.
    """

    folder: Path
    part: str
    device: str
    commit: str
    failures: list[str] = field(default_factory=list)

    def figure(self, name: str, size: str, ours: float, reference: float | None = None) -> None:
        """Note a figure, beside another where there is one to compare with."""
        ratio = None if reference is None else ours / reference
        self._add(kind="figure", name=name, size=size, ours=ours, reference=reference, ratio=ratio)

    def outcome(self, name: str, outcome: str, remark: str = "", kind: str = "check") -> None:
        """Note a check's outcome, or a part's."""
        if outcome == FAIL:
            self.failures.append(name)
        self._add(kind=kind, name=name, outcome=outcome, remark=remark)

    @contextmanager
    def check(self, name: str, rehearsal: bool = False) -> Iterator[Check]:
        """A context that fails the check by any exception; the next one runs all the same.

        Args:
            name: Of the check.
            rehearsal: Whether only CUDA could answer, and this device goes through the motions.
        """
        check = Check()
        try:
            yield check
        except Exception as error:  # a part has to go on to its next check
            traceback.print_exc()
            lines = (str(error).strip() or type(error).__name__).splitlines()
            self.outcome(name, FAIL, lines[0])
        else:
            remark = f"rehearsed: {check.remark}" if rehearsal and check.remark else check.remark
            self.outcome(name, NEEDS_CUDA if rehearsal else PASS, remark)

    def _add(self, **line: Any) -> None:
        line |= {"part": self.part, "device": self.device, "commit": self.commit}
        print({key: value for key, value in line.items() if key not in ("device", "commit")}, flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "gpu.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        write(self.folder)


def write(folder: Path) -> None:
    """Make ``gpu.csv`` and ``gpu.md`` of the lines so far."""
    lines = [json.loads(line) for line in (folder / "gpu.jsonl").read_text().splitlines()]
    figures = [line for line in lines if line["kind"] == "figure"]
    with (folder / "gpu.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            [line["name"], line["size"], *_numbers(line), line["device"], line["commit"]] for line in figures
        )
    devices = ", ".join(dict.fromkeys(line["device"] for line in lines if line["device"]))
    commits = ", ".join(dict.fromkeys(line["commit"] for line in lines))
    numbers = list(zip(*map(_numbers, figures), strict=True)) or [(), (), ()]
    tables = [
        [
            Column("what", [line["name"] for line in figures], is_number=False),
            Column("size", [line["size"] for line in figures], is_number=False),
            *(Column(name, column) for name, column in zip(("ours", "reference", "ratio"), numbers, strict=True)),
        ],
        *(_outcomes([line for line in lines if line["kind"] == kind], kind) for kind in ("check", "part")),
    ]
    (folder / "gpu.md").write_text(
        f"{HEAD}Device: {devices}. Commit: {commits}.\n\n" + "\n\n".join(map(markdown, tables)) + "\n"
    )


def _numbers(line: dict[str, Any]) -> tuple[str, ...]:
    values = (line[name] for name in ("ours", "reference", "ratio"))
    return tuple("" if value is None else f"{value:.4g}" for value in values)


def _outcomes(lines: list[dict[str, Any]], heading: str) -> list[Column]:
    names = {"check": heading, "part": heading, "outcome": "outcome", "remark": "remark"}
    del names["part" if heading == "check" else "check"]
    keys = ("name", "outcome", "remark")
    return [
        Column(name, [line[key] for line in lines], is_number=False)
        for key, name in zip(keys, names.values(), strict=True)
    ]
