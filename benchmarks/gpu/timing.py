"""Times of work on a device: between events on its own queue, so that what the host does ahead of it costs nothing."""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median

import torch

from benchmarks.gpu.plan import Plan

ROUNDS = 2


def medians(functions: Mapping[str, Callable[[], object]], plan: Plan) -> dict[str, float]:
    """Median time of each in milliseconds; they take turns by rounds, so that a change of clocks meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(10 if plan.cuda else 1):
            function()
    for _ in range(ROUNDS):
        for name, function in functions.items():
            times[name] += intervals(function, plan)
    return {name: median(values) for name, values in times.items()}


def intervals(function: Callable[[], object], plan: Plan) -> list[float]:
    """Milliseconds from the end of one call to that of the next, of as many calls in a row as the plan repeats."""
    if not plan.cuda:
        marks = [time.perf_counter()]
        for _ in range(plan.repeats):
            function()
            marks.append(time.perf_counter())
        return [1e3 * (after - before) for before, after in pairwise(marks)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(plan.repeats + 1)]
    plan.synchronize()
    events[0].record()
    for event in events[1:]:
        function()
        event.record()
    plan.synchronize()
    return [before.elapsed_time(after) for before, after in pairwise(events)]


def bandwidth(plan: Plan) -> float:
    """Bytes per second, read and written together, of a large copy within the device's memory."""
    source = torch.randn((1 << 28) if plan.cuda else (1 << 22), device=plan.device)
    target = torch.empty_like(source)
    return 2e3 * source.nbytes / medians({"copy": lambda: target.copy_(source)}, plan)["copy"]
