"""Shows how far all runs of a table are, and how long they will take."""

import sys
import time
from collections.abc import Sequence
from statistics import mean
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from lightning_vi.table.runs import Run
from lightning_vi.table.workers import State

LINE_SECONDS = 60.0  # without a terminal


class Watch:
    """One bar over the epochs of all runs on a terminal; elsewhere a line a minute.

    Args:
        runs: All runs.
        workers: How many of them run at a time.
    """

    def __init__(self, runs: Sequence[Run], workers: int) -> None:
        self.runs, self.workers = runs, workers
        self._next_line = 0.0
        self._retried = self._failed = self._split = 0  # how many of them it has told
        self._progress: Progress | None = None
        console = Console()
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rest]}"),
                console=console,
            )
            self._task = self._progress.add_task("", total=_epochs(runs), rest="")
            self._progress.start()

    def __call__(self, state: State) -> None:
        """Show a state."""
        self._tell_failures(state)
        over = not state.waiting and not state.working
        if self._progress is None and not over and time.monotonic() < self._next_line:
            return
        failed = sum(run.members for run, _ in state.failed)
        text = f"{len(state.done) + failed} of {sum(run.members for run in self.runs)} runs"
        text += f", {failed} failed" if failed else ""
        rest = "" if over else _time_left(state, self.workers)
        if self._progress is not None:
            trained = sum(each.epochs for each in state.done)
            trained += sum(job.epochs() * job.run.members for job in state.working)
            trained += _epochs([run for run, _ in state.failed])  # nothing more is to come of them
            self._progress.update(self._task, completed=trained, description=text, rest=rest)
        else:
            at_work = ", ".join(f"{job.run.label} at epoch {job.epochs()}/{job.run.epochs}" for job in state.working)
            print("; ".join(filter(None, (text, at_work, rest))), flush=True)
            self._next_line = time.monotonic() + LINE_SECONDS

    def __enter__(self) -> Self:
        """The watch itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._progress is not None:
            self._progress.stop()

    def _tell_failures(self, state: State) -> None:
        messages = [f"{run.label} is retried: {reason}" for run, reason in state.retried[self._retried :]]
        messages += [f"{run.label} failed: {reason}" for run, reason in state.failed[self._failed :]]
        messages += [f"{run.label}: one by one, since {reason}" for run, reason in state.split[self._split :]]
        for message in messages:
            if self._progress is None:
                print(message, file=sys.stderr, flush=True)
            else:
                self._progress.console.print(message, markup=False, highlight=False)
        self._retried, self._failed, self._split = len(state.retried), len(state.failed), len(state.split)


def _epochs(runs: Sequence[Run]) -> int:
    """Of all seeds."""
    return sum(run.epochs * run.members for run in runs)


def _time_left(state: State, workers: int) -> str:
    """Epochs to come, at the speed of the row's other seeds, or else of all rows."""
    speeds: dict[str, list[float]] = {}
    for result in state.done:
        speeds.setdefault(result.row, []).append(result.minutes / result.epochs)
    now = time.monotonic()
    for job in state.working:
        epochs = job.epochs() - job.first_epoch
        if epochs > 0:
            speeds.setdefault(job.run.row.name, []).append((now - job.start) / 60 / epochs / job.run.members)
    if not speeds:
        return "time left not known yet"
    typical = mean(mean(values) for values in speeds.values())
    left = [(job.run, (job.run.epochs - job.epochs()) * job.run.members) for job in state.working]
    left += [(run, run.epochs * run.members) for run in state.waiting]
    times = [epochs * mean(speeds.get(run.row.name, [typical])) for run, epochs in left]
    minutes = max(sum(times) / workers, *times)
    return f"about {_words(minutes)} left"


def _words(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min" if rest else "a minute"
