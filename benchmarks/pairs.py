"""Timing two or more functions against each other on a machine whose speed drifts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch


@dataclass(frozen=True)
class Row:
    """One line of ``results/benchmarks.csv``; times in milliseconds."""

    name: str
    size: str
    ours: float
    reference: float
    bound: float | None = None

    @property
    def ratio(self) -> float:
        """Ours by the reference."""
        return self.ours / self.reference

    @property
    def speedup(self) -> float:
        """The reference by ours: how many times faster ours is."""
        return self.reference / self.ours


def alternate(functions: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 5) -> dict[str, float]:
    """Median time of each function in milliseconds; they take turns, so that a slow spell meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warmup + repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warmup:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def device() -> str:
    """The processor, the number of threads and the version of PyTorch."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{names[0]} {capability}, {torch.get_num_threads()} thread, torch {torch.__version__}"
