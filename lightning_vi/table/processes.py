"""Runs as processes of this machine."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import final

from lightning_vi.table.jobs import Engine, Job
from lightning_vi.table.runs import Run, python


@contextmanager
def local(runs: Sequence[Run], workers: int | None) -> Iterator[Engine]:
    """Processes that share the cores of this machine.

    Args:
        runs: What they are to run.
        workers: How many at a time; None: as many as there are cores.
    """
    cores = os.cpu_count() or 1
    workers = min(workers or cores, len(runs))
    yield Engine(workers, partial(Process, threads=max(1, cores // workers)))


@final
class Process(Job):
    """See `Job`.

    Args:
        run: The run.
        threads: Number of its threads.
    """

    def __init__(self, run: Run, threads: int) -> None:
        super().__init__(run)
        self._process = launch(self.arguments, run.log, threads, {})

    def poll(self) -> int | None:
        """See `Job.poll`."""
        code = self._process.poll()
        if code is not None:
            self._close()
        return code

    def cancel(self) -> None:
        """See `Job.cancel`."""
        self._process.terminate()

    def wait(self) -> None:
        """See `Job.wait`."""
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


def launch(
    arguments: Sequence[str], log: Path, threads: int, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start `lightning-vi` as a process that ends when its standard input closes, as it does if we end.

    Args:
        arguments: Its arguments.
        log: Gets what it prints.
        threads: Number of its threads.
        environment: Added to ours.
    """
    variables = {**os.environ, **environment, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    # Lightning would take these for its own.
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        variables.pop(name, None)
    with log.open("ab") as out:
        return subprocess.Popen([*python(), *arguments], stdin=subprocess.PIPE, stdout=out, stderr=out, env=variables)
