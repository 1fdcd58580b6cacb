from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.profilers import SimpleProfiler
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.modules.uncounted import uncounted
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Twice(LightningModule):
    """Two steps for each minibatch, the second of which is uncounted and may fail."""

    def __init__(self, failing: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.failing = failing

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        for context in (counted(), uncounted(self, optimizer)):
            optimizer.zero_grad()
            self.manual_backward(self.weight)
            hooks = optimizer._on_before_step, optimizer._on_after_step
            with pytest.raises(ZeroDivisionError) if self.failing else counted(), context:
                optimizer.step()
                if self.failing:
                    raise ZeroDivisionError
            assert (optimizer._on_before_step, optimizer._on_after_step) == hooks

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


@contextmanager
def counted() -> Iterator[None]:
    yield


@pytest.mark.parametrize("failing", [False, True])
def test_an_uncounted_step_is_made_and_profiled_but_not_counted(failing: bool) -> None:
    module, profiler = Twice(failing), SimpleProfiler()
    run = trainer(max_epochs=2, profiler=profiler)
    run.fit(module, DataLoader(TensorDataset(torch.zeros(3, 1))))
    assert run.global_step == 6
    assert module.weight.item() == -12.0
    assert len(profiler.recorded_durations["optimizer_step"]) == 12
