from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer


@contextmanager
def uncounted(module: LightningModule, optimizer: LightningOptimizer) -> Iterator[None]:
    """A context in which a step of the optimizer is none of the trainer's `global_step`.

    In manual optimization Lightning counts each step by what it hangs around it.
    """
    counted = optimizer._on_before_step, optimizer._on_after_step
    profiler = module.trainer.profiler  # type: ignore[attr-defined]  # set at run time
    optimizer._on_before_step = lambda: profiler.start("optimizer_step")
    optimizer._on_after_step = lambda: profiler.stop("optimizer_step")
    try:
        yield
    finally:
        optimizer._on_before_step, optimizer._on_after_step = counted
