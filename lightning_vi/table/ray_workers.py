"""Runs as tasks of a Ray cluster, whose machines share this folder.

A run is one task with one request for resources. The task holds the run as a process of its own: a worker that dies
takes its run with it, and whoever started the task goes on with it from the checkpoint in the shared folder. Ray's own
retries are off, so that every failure is told.
"""

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

from lightning_vi.errors import UserError
from lightning_vi.table import processes
from lightning_vi.table.jobs import Engine, Job
from lightning_vi.table.runs import Run


@contextmanager
def cluster(runs: Sequence[Run], workers: int | None) -> Iterator[Engine]:
    """Tasks of the Ray cluster that `RAY_ADDRESS` names, or that this machine belongs to.

    Args:
        runs: What they are to run.
        workers: How many at a time; None: as many as the cluster has CPUs.

    Raises:
        UserError: if Ray is not installed, if there is no cluster, or if none of its nodes has a CPU or a run's GPUs.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError("--engine ray needs Ray: pip install 'lightning-vi[ray]'.") from error
    ray.init(address=_address(), log_to_driver=False, logging_level=logging.WARNING)
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        _require_gpus(runs, max((int(node.get("GPU", 0)) for node in nodes), default=0))
        cpus = [int(node.get("CPU", 0)) for node in nodes]
        if not any(cpus):
            raise UserError("--engine ray: no node of the Ray cluster has a CPU for runs; start one with --num-cpus.")
        workers = min(workers or max(1, sum(cpus)), len(runs))
        yield Engine(workers, partial(Task, cpus=cpus_per_run(cpus, workers)))
    finally:
        ray.shutdown()


def _address() -> str:
    """Host and port of the cluster, which answers there: `ray.init` itself would wait for minutes for one that is gone.

    Raises:
        UserError: if there is none.
    """
    from ray._private.services import canonicalize_bootstrap_address

    try:
        address = canonicalize_bootstrap_address("auto") or ""
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:  # a ConnectionError is an OSError
        name = os.environ.get("RAY_ADDRESS")
        where = f" at RAY_ADDRESS={name}" if name else ""
        raise UserError(f"--engine ray found no Ray cluster{where}: start one with `ray start --head`.") from error
    return address


def cpus_per_run(nodes: Sequence[int], workers: int) -> int:
    """The most CPUs that each of several runs at a time can have, at least one.

    Args:
        nodes: Number of CPUs of each node; a run has those of one node.
        workers: How many runs at a time.
    """
    enough = [cpus for cpus in range(1, max(nodes) + 1) if sum(node // cpus for node in nodes) >= workers]
    return max(enough, default=1)


@final
class Task(Job):
    """See `Job`.

    Args:
        run: The run.
        cpus: How many CPUs it asks for; also the number of its threads.
    """

    def __init__(self, run: Run, cpus: int) -> None:
        super().__init__(run)
        import ray

        self._ray = ray
        environment = {name: value for name, value in os.environ.items() if name.startswith("LIGHTNING_VI_")}
        if run.gpus == 0:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # or it would take one that another run has been given
        train = ray.remote(_train).options(name=run.label, num_cpus=cpus, num_gpus=run.gpus, max_retries=0)
        self._task: Any = train.remote(self.arguments, Path.cwd(), run.log, cpus, environment)

    def poll(self) -> int | None:
        """See `Job.poll`; 1 if Ray has lost it, for which its log then has Ray's reason."""
        try:
            ended, _ = self._ray.wait([self._task], timeout=0)
            if not ended:
                return None
            code: int = self._ray.get(self._task)
        except self._ray.exceptions.RayError as error:
            self.note(f"Ray: {error}")
            return 1
        return code

    def cancel(self) -> None:
        """See `Job.cancel`."""
        self._ray.cancel(self._task, force=True)

    def wait(self) -> None:
        """See `Job.wait`."""
        self._ray.wait([self._task], timeout=10)


def _train(arguments: Sequence[str], folder: Path, log: Path, threads: int, environment: Mapping[str, str]) -> int:
    """What a worker does; the exit code of the run."""
    os.chdir(folder)
    with processes.launch(arguments, log, threads, environment) as process:
        return process.wait()


def _require_gpus(runs: Sequence[Run], most: int) -> None:
    for run in runs:
        if run.gpus > most:
            raise UserError(
                f"{run.table}: row '{run.row.name}': trainer.devices asks for {run.gpus} "
                f"GPU{'s' if run.gpus > 1 else ''}; the nodes of the Ray cluster have {most} at most."
            )
