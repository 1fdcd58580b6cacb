"""That a cosine spans a module's whole run is in the tests of `SupervisedModule`; the schedules have theirs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, ReduceLROnPlateau
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.modules.optimization import optimization
from lightning_vi.schedules import BurdaLR, CosineLR
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Flat(LightningModule):
    """A loss of 1 whatever its parameters, and a note of each epoch's learning rate."""

    def __init__(self, lr_scheduler: LRSchedulerCallable | None) -> None:
        super().__init__()
        self.net, self.log_sigma = nn.Linear(2, 1), nn.Parameter(torch.zeros(()))
        self.lr_scheduler = lr_scheduler
        self.rates: list[float] = []

    def on_train_epoch_start(self) -> None:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = 1.0 + 0.0 * self.log_sigma
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return optimization(self, partial(SGD, lr=0.4), self.lr_scheduler)


def test_without_a_schedule_it_is_an_optimizer_of_all_parameters() -> None:
    module = Flat(None)
    made = module.configure_optimizers()
    assert isinstance(made, SGD)
    assert {id(each) for group in made.param_groups for each in group["params"]} == set(map(id, module.parameters()))


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (None, [0.4] * 6),
        (BurdaLR, [0.4 * 10 ** (-stage / 7) for stage in (0, 1, 1, 1, 2, 2)]),
        # The loss is never better than after the first epoch, so each later one is too many.
        (partial(ReduceLROnPlateau, monitor="train/loss", factor=0.5, patience=0), [0.4, 0.4, 0.2, 0.1, 0.05, 0.025]),
    ],
    ids=["none", "BurdaLR", "ReduceLROnPlateau"],
)
def test_a_schedule_steps_once_per_epoch(schedule: LRSchedulerCallable | None, rates: list[float]) -> None:
    module = Flat(schedule)
    trainer(max_epochs=6).fit(module, DataLoader(TensorDataset(torch.zeros(9, 2)), 3))
    assert module.rates == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize("epochs", [1, 70])
def test_a_cosine_is_told_the_length_of_the_run(epochs: int) -> None:
    schedules: list[CosineLR] = []

    def noted(make: Callable[..., CosineLR]) -> LRSchedulerCallable:
        def schedule(optimizer: torch.optim.Optimizer) -> CosineLR:
            schedules.append(make(optimizer))
            return schedules[-1]

        return schedule

    module = Flat(noted(CosineLR))
    module.configure_optimizers()  # by hand, without a trainer
    module.trainer = trainer(max_epochs=epochs)
    module.configure_optimizers()
    assert [schedule.epochs for schedule in schedules] == [None, epochs]
