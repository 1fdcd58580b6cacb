"""Runs several trainings at a time, watches them, and repeats those that fail."""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightning_vi.table.jobs import MISTAKE, Engine, Job
from lightning_vi.table.runs import Run
from lightning_vi.table.stored import Result

_POLL_SECONDS = 0.25


@dataclass
class State:
    """How far all runs are.

    Attributes:
        waiting: Runs to come, the next one first.
        working: Runs at work.
        done: Results of the runs that have ended well, of earlier calls too.
        failed: Runs that have not, each with the reason.
        retried: Runs that have failed and were repeated, each with the reason, once for every time.
        split: Runs of several seeds that were refused, each with the reason; their seeds are run one by one.
    """

    waiting: deque[Run]
    working: list[Job] = field(default_factory=list)
    done: list[Result] = field(default_factory=list)
    failed: list[tuple[Run, str]] = field(default_factory=list)
    retried: list[tuple[Run, str]] = field(default_factory=list)
    split: list[tuple[Run, str]] = field(default_factory=list)


def work(
    runs: Sequence[Run],
    results: Path,
    scores: Collection[str],
    engine: Engine,
    retries: int,
    watch: Callable[[State], None],
) -> State:
    """Run all that have no result yet.

    Args:
        runs: The runs.
        results: Folder of the stored results.
        scores: Names that a result must have, or the run has failed.
        engine: Where they run, and how many at a time.
        retries: How often a run that fails is repeated from its last checkpoint.
        watch: Called every quarter of a second.

    Returns:
        The state at the end.
    """
    state = State(deque())
    for run in runs:
        # A run may have ended when nobody was there any more to store its result.
        found = run.results(results) or run.store(results)
        if found:
            _end(state, run, found, scores)
        else:
            state.waiting.append(run)
    failures: Counter[str] = Counter()
    with _ended_with_us(state.working):
        while state.waiting or state.working:
            while state.waiting and len(state.working) < engine.workers:
                state.working.append(engine.start(state.waiting.popleft()))
            watch(state)
            time.sleep(_POLL_SECONDS)
            for job, code in [(job, code) for job in state.working if (code := job.poll()) is not None]:
                state.working.remove(job)
                found = job.run.store(results) if code == 0 else []
                failures[job.run.label] += not found
                if found:
                    _end(state, job.run, found, scores)
                elif code == MISTAKE and job.run.members > 1:
                    state.split.append((job.run, job.reason(code)))
                    state.waiting.extendleft(reversed(job.run.single()))
                elif code in (0, MISTAKE) or failures[job.run.label] > retries:
                    state.failed.append((job.run, job.reason(code)))
                else:
                    state.retried.append((job.run, job.reason(code)))
                    state.waiting.appendleft(job.run)
    watch(state)
    return state


def _end(state: State, run: Run, results: Sequence[Result], scores: Collection[str]) -> None:
    found = results[0].scores  # those of other seeds have the same names
    lacking = [name for name in scores if name not in found]
    if lacking:
        state.failed.append((run, f"it has no score {', '.join(lacking)}, but {', '.join(found) or 'none'}"))
    else:
        state.done.extend(results)


@contextmanager
def _ended_with_us(jobs: list[Job]) -> Iterator[None]:
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.wait()
