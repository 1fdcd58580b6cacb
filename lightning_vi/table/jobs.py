"""A run at work, wherever that is, and an engine that sets runs to work."""

import re
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightning_vi.table.runs import Run

_EPOCH = re.compile(r"^Epoch (\d+)/", re.MULTILINE)
_START, _TOLD = "+ lightning-vi ", "lightning-vi: "

MISTAKE = 2
"""The exit code of what no repetition mends: a mistake, or numbers that are not finite."""


class Job(ABC):
    """A run at work: `lightning-vi` with arguments that start the run, or go on with it from its last checkpoint.

    Args:
        run: The run.

    Attributes:
        arguments: Those of `lightning-vi`.
        start: When it was started, by the monotonic clock.
        first_epoch: Number of epochs that it had then.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        run.folder.mkdir(parents=True, exist_ok=True)
        self.first_epoch = _epochs(run.log) if run.log.is_file() else 0
        self.arguments = run.prepare()
        self.note(f"{_START}{' '.join(self.arguments)}")
        self.start = time.monotonic()

    @abstractmethod
    def poll(self) -> int | None:
        """Its exit code, the negative number of a signal that has ended it, or None while it is at work."""

    @abstractmethod
    def cancel(self) -> None:
        """Ask it to end."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until it has ended, for some seconds at most."""

    def epochs(self) -> int:
        """How many epochs it says it has trained; it says so every few seconds."""
        return _epochs(self.run.log) or self.first_epoch

    def note(self, line: str) -> None:
        """Add a line to its log."""
        with self.run.log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def reason(self, code: int) -> str:
        """Why it has left no result: how it has ended, and what it has told or the last line that it has printed."""
        if code == 0:
            return f"it has left no results.json in {self.run.folder}; its first logger must be that of trainer.yaml"
        lines = [line.strip() for line in _tail(self.run.log).splitlines() if line.strip()]
        if code == MISTAKE:
            first = max((number for number, line in enumerate(lines) if line.startswith(_TOLD)), default=-1)
            printed = " ".join(lines[first:]).removeprefix(_TOLD)
        else:  # behind an exception stands how to go on, which the table knows
            printed = next((line for line in reversed(lines) if not line.startswith(_TOLD)), "")
        printed = printed or "it has printed nothing"
        return f"ended by {_signal_name(-code)}; last: {printed}" if code < 0 else printed


@dataclass(frozen=True)
class Engine:
    """Where runs are at work.

    Attributes:
        workers: How many at a time.
        start: Sets a run to work.
    """

    workers: int
    start: Callable[[Run], Job]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"


def _epochs(log: Path) -> int:
    found = _EPOCH.findall(_tail(log))
    return int(found[-1]) if found else 0


def _tail(path: Path, size: int = 4096) -> str:
    """The end of a file, of its last start only."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        _, start, last = file.read().decode(errors="replace").rpartition(_START)
    return last.partition("\n")[2] if start else last
