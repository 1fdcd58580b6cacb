"""How long a step takes in each of its forms, how near that is to the memory's limit, and what data and Trainer add."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Adam
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import TensorDataset

from benchmarks.gpu import traffic
from benchmarks.gpu.correctness import images, trainer
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.report import Report
from benchmarks.gpu.timing import bandwidth, medians
from benchmarks.gpu.training import (
    BATCH,
    CLASSES,
    PIXELS,
    Mode,
    Training,
    bayesian,
    cross_entropy_of,
    negative_elbo_of,
    network,
)
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian, Prior, ScaleMixture

MIXTURE = ScaleMixture(0.5, 1.0, math.exp(-6))
MEMBERS = 5
Step = Callable[[], None]


def run(plan: Plan, report: Report) -> None:
    """All figures, the goal's network first, since time may run out; one that fails leaves the others."""
    rate = bandwidth(plan)
    report.figure("memory bandwidth, GB/s read and written", "copy", rate / 1e9)
    for units in plan.units:
        with report.check(f"timed: {size(units)}, scale mixture"):
            steps_of(plan, report, units, "scale mixture", MIXTURE, rate)
        with report.check(f"timed: {MEMBERS} networks of {size(units)}"):
            side_by_side(plan, report, units, rate)
        if units == plan.units[0]:
            for name, function in {"fit": fit, "kernels": kernels, "data": loading}.items():
                with report.check(f"timed: {name}"):
                    function(plan, report)
        with report.check(f"timed: {size(units)}, Gaussian prior"):
            steps_of(plan, report, units, "Gaussian prior", Gaussian(1.0), rate)


def size(units: int) -> str:
    """As in the tables."""
    return f"{PIXELS}-{units}-{units}-{CLASSES}"


def deterministic(plan: Plan, units: int, mode: Mode) -> Step:
    """The step of a network with single-valued weights."""
    net = network(units).to(plan.device)
    return Training(net, cross_entropy_of(net), *images(plan.examples, plan.device), mode).step


def stochastic(
    plan: Plan, units: int, prior: Prior, mode: Mode, compiled: bool, half: bool = False, members: int = 1
) -> Step:
    """The step of Bayes by Backprop."""
    model = bayesian(network(units, members), prior, plan, compiled and not plan.quick)
    loss = negative_elbo_of(model, plan.examples)
    return Training(model, loss, *images(plan.examples, plan.device), mode, half).step


def steps_of(plan: Plan, report: Report, units: int, name: str, prior: Prior, rate: float) -> None:
    """Each form of a step against the deterministic one, one by one or recorded as it is."""
    functions = {
        "deterministic": deterministic(plan, units, "eager"),
        "deterministic, recorded": deterministic(plan, units, "captured"),
        "eager": stochastic(plan, units, prior, "eager", compiled=False),
        "compiled draws": stochastic(plan, units, prior, "eager", compiled=True),
        "recorded": stochastic(plan, units, prior, "captured", compiled=False),
        "recorded, compiled draws": stochastic(plan, units, prior, "captured", compiled=True),
    }
    if (units, prior) == (plan.units[0], MIXTURE):  # for each of them the loops are compiled anew
        half = stochastic(plan, units, prior, "captured", compiled=True, half=True)
        functions["recorded, compiled draws, bfloat16 products"] = half
        with reduced_products():
            reduced = stochastic(plan, units, prior, "captured", compiled=True)
        functions["recorded, compiled draws, TF32 products"] = reduced
    times = medians(functions, plan)
    report.figure("deterministic step", size(units), times["deterministic"])
    report.figure("deterministic step, recorded", size(units), times["deterministic, recorded"], times["deterministic"])
    for form, value in times.items():
        if not form.startswith("deterministic"):
            reference = times["deterministic, recorded" if "recorded" in form else "deterministic"]
            report.figure(f"BBB step, {name}, {form}", size(units), value, reference)
    best = times["recorded, compiled draws"]
    report.figure(
        f"recorded BBB step, {name}, against one by one, both with compiled draws",
        size(units),
        best,
        times["compiled draws"],
    )
    floor = 1e3 * traffic.bytes_of_step(units) / rate
    report.figure(f"recorded BBB step, {name}, against the memory-traffic floor", size(units), best, floor)
    report.figure(f"images per second, {name}, recorded", size(units), 1e3 * BATCH / best, 1e3 * BATCH / times["eager"])


@contextmanager
def reduced_products() -> Iterator[None]:
    """A context in which products of float32 matrices may be rounded to TF32; what is recorded in it stays so."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def side_by_side(plan: Plan, report: Report, units: int, rate: float) -> None:
    """Networks at once against one after another."""
    functions = {
        "one": stochastic(plan, units, MIXTURE, "captured", compiled=True),
        "all": stochastic(plan, units, MIXTURE, "captured", compiled=True, members=MEMBERS),
    }
    times = medians(functions, plan)
    what = f"{MEMBERS} networks at once, scale mixture, recorded"
    report.figure(f"{what}, against one after another", size(units), times["all"], MEMBERS * times["one"])
    floor = 1e3 * traffic.bytes_of_step(units, MEMBERS) / rate
    report.figure(f"{what}, against the memory-traffic floor", size(units), times["all"], floor)
    count = 1e3 * MEMBERS * BATCH
    report.figure(
        "images per second, scale mixture, 5 at once", size(units), count / times["all"], count / MEMBERS / times["one"]
    )


def kernels(plan: Plan, report: Report) -> None:
    """Write ``kernels.txt``: the operations of a step with compiled draws that take longest, one by one."""
    step = stochastic(plan, plan.units[0], MIXTURE, "eager", compiled=True)
    for _ in range(3):
        step()
    plan.synchronize()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if plan.cuda else [])]
    with profile(activities=activities) as profiled:
        for _ in range(10):
            step()
        plan.synchronize()
    table = profiled.key_averages().table(f"self_{plan.device.type}_time_total", row_limit=40, max_name_column_width=80)
    (report.folder / "kernels.txt").write_text(f"Ten steps, {size(plan.units[0])}, {report.device}\n{table}\n")


def loading(plan: Plan, report: Report) -> None:
    """A minibatch by index from tensors on the device, against one from host memory that is copied there."""
    host = TensorDataset(*images(plan.examples, torch.device("cpu")))
    resident = TensorDataset(*(tensor.to(plan.device) for tensor in host.tensors))

    def epochs(data: TensorDataset) -> Step:
        loader = InMemoryLoader(data, BATCH, EpochShuffle(len(data), seed=0))

        def epoch() -> None:
            for batch in loader:
                for tensor in batch:
                    tensor.to(plan.device)

        return epoch

    batches = math.ceil(plan.examples / BATCH)
    times = timed({"resident": epochs(resident), "host": epochs(host)}, plan)
    report.figure(
        "a minibatch from the device, against one from the host",
        f"{BATCH} x {PIXELS}",
        *(1e3 * times[name] / batches for name in ("resident", "host")),
    )


def timed(functions: dict[str, Step], plan: Plan) -> dict[str, float]:
    """Seconds of the second call of each, on the host's clock."""
    seconds = {}
    for name, function in functions.items():
        function()
        plan.synchronize()
        start = time.perf_counter()
        function()
        plan.synchronize()
        seconds[name] = time.perf_counter() - start
    return seconds


class EpochTimes(Callback):
    """Notes how long each epoch takes, in seconds."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.plan.synchronize()
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it."""
        self.plan.synchronize()
        self.seconds.append(time.perf_counter() - self.start)


def fit(plan: Plan, report: Report) -> None:
    """A step within ``fit``, with compiled draws and data on the device, against the recorded one."""
    units = plan.units[0]
    module = BayesByBackprop(
        partial(MLP, hidden=[units, units]),
        (PIXELS,),
        CLASSES,
        prior=MIXTURE,
        posterior=SoftplusScale(),
        optimizer=partial(Adam, lr=1e-3, fused=True),
        compile=not plan.quick,
    )
    times = EpochTimes(plan)
    data = TensorDataset(*images(plan.examples, plan.device))
    loader = InMemoryLoader(data, BATCH, EpochShuffle(len(data), seed=0))
    trainer(plan.device, callbacks=[times], max_epochs=3 if plan.cuda else 2).fit(module, loader)
    recorded = stochastic(plan, units, MIXTURE, "captured", compiled=True)
    step = 1e3 * min(times.seconds[1:]) / len(loader)
    report.figure(
        "step of fit, scale mixture, against a recorded one", size(units), step, medians({"": recorded}, plan)[""]
    )
