"""What a second process costs: a step of Bayes by Backprop on one process, and on two that average their gradients.

Usage: OMP_NUM_THREADS=1 python -m benchmarks.devices

Both processes have one thread and a minibatch of 128 each, and are one program: they take turns in blocks of steps
that one process makes while the other waits, that both make without a word to each other, and that both make with the
exchange of gradients (gloo). So a slow spell of the machine meets all of them, and the difference of the last two is
the exchange alone; that of the first two is what processes take from each other, of memory bandwidth and cache.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.pairs import Row, device
from lightning_vi.allocator import keep_freed_memory
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Categorical
from lightning_vi.networks import MLP
from lightning_vi.objectives import Epoch, negative_elbo
from lightning_vi.posteriors import SoftplusScale

BATCH, STEPS = 128, 5
EPOCH = Epoch(50_000, 50_000, 391)
ALONE, SILENT, TOGETHER = "alone", "silent", "together"


class Loss(nn.Module):
    """The objective as a module's output, as the gradients' exchange hangs on a module."""

    def __init__(self, hidden: Sequence[int]) -> None:
        super().__init__()
        self.model = BayesianModule(MLP((784,), 10, hidden), posterior=SoftplusScale())

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The negative ELBO's part of a minibatch, shape ()."""
        return negative_elbo(
            WeightSampling()(self.model, inputs), Categorical(), targets, 1 / EPOCH.batches, EPOCH
        ).loss


def blocks(rank: int, hidden: Sequence[int], turns: int) -> dict[str, float]:
    """Milliseconds of a step, as this process has seen it, in the fastest block of each kind.

    A median would measure what else two cores are asked to do.
    """
    torch.manual_seed(0)
    loss = Loss(hidden)
    loss.model.noise.stream = rank
    loss.model.compile_draws()
    parallel = DistributedDataParallel(loss)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3, fused=True)
    inputs, targets = torch.randn(BATCH, 784), torch.randint(10, (BATCH,))
    times: dict[str, list[float]] = {ALONE: [], SILENT: [], TOGETHER: []}
    for turn in range(turns + 1):
        for kind, noted in times.items():
            distributed.barrier()
            if kind == ALONE and rank > 0:
                continue  # to wait at the next barrier
            start = time.perf_counter()
            for _ in range(STEPS):
                optimizer.zero_grad()
                with nullcontext() if kind == TOGETHER else parallel.no_sync():
                    parallel(inputs, targets).backward()
                optimizer.step()
            if turn > 0:  # the first one warms up
                noted.append(1e3 * (time.perf_counter() - start) / STEPS)
    return {kind: min(noted) for kind, noted in times.items() if noted}


def _process(rank: int, meeting: Path, hidden: Sequence[int], turns: int) -> dict[str, float]:
    torch.set_num_threads(1)
    keep_freed_memory()
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = blocks(rank, hidden, turns)
    distributed.destroy_process_group()
    return found


def rows(turns: int) -> Iterator[Row]:
    """Steps of two processes against those of one."""
    for units in (400, 1200):
        size = f"784-{units}-{units}-10"
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            process = partial(_process, meeting=Path(folder) / "meeting", hidden=(units, units), turns=turns)
            times, _ = pool.map(process, range(2))
        yield Row("BBB, a step of 2 processes, 128 each, against 1", size, times[TOGETHER], times[ALONE])
        yield Row("... without the exchange of gradients, against 1", size, times[SILENT], times[ALONE])


def main() -> None:
    """Print the rows."""
    torch.set_num_threads(1)
    print(f"{device()}, {os.cpu_count()} cores, 2 processes by gloo")
    for row in rows(turns=20):
        print(f"| {row.name} | {row.size} | {row.ours:.2f} | {row.reference:.2f} | {row.ratio:.2f} | |", flush=True)


if __name__ == "__main__":
    main()
