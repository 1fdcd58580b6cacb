"""Runs several trainings at a time, each a process of its own, and watches them."""

import os
import re
import subprocess
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightning_vi.table.runs import Run, python
from lightning_vi.table.stored import Result

_EPOCH = re.compile(r"^Epoch (\d+)/", re.MULTILINE)
_POLL_SECONDS = 0.25


@dataclass
class Job:
    """A run at work.

    Attributes:
        run: The run.
        process: Its process.
        start: When it was started, by the monotonic clock.
        first_epoch: Number of epochs that it had then.
    """

    run: Run
    process: subprocess.Popen[bytes]
    start: float
    first_epoch: int

    def epochs(self) -> int:
        """How many epochs it says it has trained; it says so every few seconds."""
        return _epochs(self.run.log) or self.first_epoch

    def close(self) -> None:
        """Let go of the process, which has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()


@dataclass
class State:
    """How far all runs are.

    Attributes:
        waiting: Runs to come, the next one first.
        working: Runs at work.
        done: Results of the runs that have ended well, of earlier calls too.
        failed: Runs that have not, each with the last line that it has printed.
    """

    waiting: deque[Run]
    working: list[Job] = field(default_factory=list)
    done: list[Result] = field(default_factory=list)
    failed: list[tuple[Run, str]] = field(default_factory=list)


def work(
    runs: Sequence[Run],
    results: Path,
    scores: Collection[str],
    workers: int,
    threads: int,
    watch: Callable[[State], None],
) -> State:
    """Run all that have no result yet.

    Args:
        runs: The runs.
        results: Folder of the stored results.
        scores: Names that a result must have, or the run has failed.
        workers: How many to run at a time.
        threads: Number of threads of each.
        watch: Called every quarter of a second.

    Returns:
        The state at the end.
    """
    state = State(deque())
    for run in runs:
        # A run may have ended when nobody was there any more to store its result.
        result = run.result(results) or run.store(results)
        if result is None:
            state.waiting.append(run)
        else:
            _end(state, run, result, scores)
    with _ended_with_us(state.working):
        while state.waiting or state.working:
            while state.waiting and len(state.working) < workers:
                state.working.append(_start(state.waiting.popleft(), threads))
            watch(state)
            time.sleep(_POLL_SECONDS)
            for job in [job for job in state.working if job.process.poll() is not None]:
                state.working.remove(job)
                job.close()
                result = job.run.store(results) if job.process.returncode == 0 else None
                if result is None:
                    state.failed.append((job.run, _last_line(job)))
                else:
                    _end(state, job.run, result, scores)
    watch(state)
    return state


def _end(state: State, run: Run, result: Result, scores: Collection[str]) -> None:
    lacking = [name for name in scores if name not in result.scores]
    if lacking:
        state.failed.append((run, f"it has no score {', '.join(lacking)}, but {', '.join(result.scores) or 'none'}"))
    else:
        state.done.append(result)


def _start(run: Run, threads: int) -> Job:
    run.folder.mkdir(parents=True, exist_ok=True)
    first_epoch = _epochs(run.log) if run.log.is_file() else 0
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    # Lightning would take these for its own.
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        environment.pop(name, None)
    arguments = run.prepare()
    with run.log.open("ab") as log:
        log.write(f"+ lightning-vi {' '.join(arguments)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            [*python(), *arguments], stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment
        )
    return Job(run, process, time.monotonic(), first_epoch)


@contextmanager
def _ended_with_us(jobs: list[Job]) -> Iterator[None]:
    try:
        yield
    finally:
        for job in jobs:
            job.process.terminate()
        for job in jobs:
            try:
                job.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                job.process.kill()
                job.process.wait()
            job.close()


def _epochs(log: Path) -> int:
    found = _EPOCH.findall(_tail(log))
    return int(found[-1]) if found else 0


def _tail(path: Path, size: int = 4096) -> str:
    """The end of a file, of its last start only."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").rpartition("+ lightning-vi ")[2]


def _last_line(job: Job) -> str:
    lines = [line for line in _tail(job.run.log).splitlines() if line.strip()]
    what = lines[-1].strip() if lines else "it has printed nothing"
    if job.process.returncode == 0:
        what = f"it has left no results.json in {job.run.folder}; its first logger must be that of trainer.yaml"
    return what
