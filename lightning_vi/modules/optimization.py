"""The optimizer and the schedule of a module that has one of each."""

from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI, LRSchedulerCallable, OptimizerCallable

from lightning_vi.schedules import CosineLR


def optimization(
    module: LightningModule, optimizer: OptimizerCallable, lr_scheduler: LRSchedulerCallable | None
) -> Any:
    """What `configure_optimizers` returns; a schedule steps once per epoch, a cosine is told the run's length."""
    made = optimizer(module.parameters())
    if lr_scheduler is None:
        return made
    scheduler = lr_scheduler(made)
    if isinstance(scheduler, CosineLR) and module._trainer is not None:
        scheduler.epochs = module.trainer.max_epochs
    return LightningCLI.configure_optimizers(module, made, scheduler)
