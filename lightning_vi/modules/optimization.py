"""The optimizer and the schedule of a module that has one of each."""

from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI, LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_vi.schedules import CosineLR


def optimization(
    module: LightningModule, optimizer: OptimizerCallable, lr_scheduler: LRSchedulerCallable | None
) -> Any:
    """What `configure_optimizers` returns; a schedule steps once per epoch, a cosine is told the run's length."""
    made = optimizer(module.parameters())
    return LightningCLI.configure_optimizers(module, made, schedule(module, made, lr_scheduler))


def schedule(
    module: LightningModule, optimizer: Optimizer, lr_scheduler: LRSchedulerCallable | None
) -> LRScheduler | ReduceLROnPlateau | None:
    """The schedule of an optimizer; a cosine is told the run's length."""
    scheduler = None if lr_scheduler is None else lr_scheduler(optimizer)
    if isinstance(scheduler, CosineLR) and module._trainer is not None:
        scheduler.epochs = module.trainer.max_epochs
    return scheduler
