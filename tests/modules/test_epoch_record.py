"""What modules do with their record, its resumption inside an epoch among it, is in their own tests."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.datamodules import Digits
from lightning_vi.modules import VAE
from lightning_vi.modules.epoch_record import EpochRecord
from lightning_vi.networks import MLP
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Counting(LightningModule):
    """Its figures are n and n^2 at the n-th step of all epochs, counted from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.record = EpochRecord(figures=2)
        self.step = 0
        self.means: list[list[float] | None] = []

    def configure_callbacks(self) -> list[Callback]:
        return self.record.unless_there(self.trainer)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.weight + self.step
        self.record.add(loss, loss.square())
        self.step += 1
        return loss

    def on_train_epoch_end(self) -> None:
        means = self.record.means()
        self.means.append(None if means is None else means.tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


DATA = TensorDataset(torch.zeros(23, 1))
LOADER = DataLoader(DATA, 5)  # five steps an epoch
FIRST = [2.0, (0 + 1 + 4 + 9 + 16) / 5]
SECOND = [7.0, (25 + 36 + 49 + 64 + 81) / 5]


@pytest.mark.parametrize(("accumulated", "share"), [(1, 1.0), (2, 5 / 6)])
def test_means_are_those_of_an_epochs_steps(accumulated: int, share: float) -> None:
    """A step has the sum of its minibatches by `accumulated`, the third too, of one minibatch out of two."""
    module = Counting()
    trainer(max_epochs=2, accumulate_grad_batches=accumulated).fit(module, LOADER)
    for noted, means in zip(module.means, (FIRST, SECOND), strict=True):
        assert noted == pytest.approx([share * each for each in means])
    assert (module.record.epoch.batches, module.record.epoch.visited) == (5, 23)


def test_the_steps_of_a_limited_epoch_are_fewer() -> None:
    module = Counting()
    trainer(max_epochs=2, limit_train_batches=2).fit(module, LOADER)
    assert module.means == [[0.5, 0.5], [2.5, 6.5]]


@pytest.mark.parametrize(("steps", "means"), [(4, [None]), (5, [FIRST]), (9, [FIRST, None]), (10, [FIRST, SECOND])])
def test_an_epoch_that_is_cut_short_has_no_means(steps: int, means: list[list[float] | None]) -> None:
    module = Counting()
    trainer(max_epochs=-1, max_steps=steps).fit(module, LOADER)
    assert module.means == means


def test_a_trainer_has_the_record_once_however_often_it_trains(caplog: pytest.LogCaptureFixture) -> None:
    module, run = Counting(), trainer()
    with caplog.at_level("INFO"):
        run.fit(module, LOADER)
        run.fit_loop.max_epochs = 2
        run.fit(module, LOADER)
    assert "max_epochs=2" in caplog.text
    assert "EpochRecord" not in caplog.text  # as one that takes its own place would be told
    assert module.means == [FIRST, SECOND]
    assert run.callbacks.count(module.record) == 1  # type: ignore[attr-defined]  # set at run time


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_a_resumed_run_may_have_epochs_of_more_steps(tmp_path: Path) -> None:
    """As on fewer devices."""
    saver = ModelCheckpoint(tmp_path, "a", save_on_train_epoch_end=True)
    trainer(enable_checkpointing=True, callbacks=[saver]).fit(Counting(), LOADER)
    module = Counting()
    trainer(max_epochs=2).fit(module, DataLoader(DATA, 3), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert module.means == [[3.5, (0 + 1 + 4 + 9 + 16 + 25 + 36 + 49) / 8]]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_an_epoch_that_max_steps_has_cut_short_goes_on(steps: int, tmp_path: Path) -> None:
    """Also from a checkpoint that is saved when the training is over."""
    data = Digits(batch_size=300, seed=1)  # five steps an epoch
    first = trainer(max_steps=steps, max_epochs=-1)
    first.fit(module := make_vae(data), data)
    first.save_checkpoint(tmp_path / "a.ckpt")
    trainer(max_epochs=2).fit(module := make_vae(data), data, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    data = Digits(batch_size=300, seed=1)
    trainer(max_epochs=2).fit(straight := make_vae(data), data)
    for (name, one), other in zip(module.named_parameters(), straight.parameters(), strict=True):
        assert torch.equal(one, other), name


def make_vae(data: Digits) -> VAE:
    torch.manual_seed(1)
    net = partial(MLP, hidden=[8])
    return VAE(data.input_shape, net, net, 2, val_draws=1)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.parametrize("moment", [{"save_on_train_epoch_end": True}, {"every_n_train_steps": 7}], ids=str)
def test_a_schedule_that_follows_a_score_goes_on(moment: dict[str, Any], tmp_path: Path) -> None:
    """Lightning steps it behind the checkpoint of an epoch's end, and not at all in an epoch that is resumed."""

    class Falling(Counting):
        def on_train_epoch_end(self) -> None:
            self.log("score", float(self.trainer.current_epoch))  # grows, so each epoch lowers the rate

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "score"}}

    def rate(run: Trainer) -> float:
        value: float = run.optimizers[0].param_groups[0]["lr"]
        return value

    straight = trainer(max_epochs=4)
    straight.fit(Falling(), LOADER)
    saver = ModelCheckpoint(tmp_path, "a", **moment)
    trainer(max_epochs=2, enable_checkpointing=True, callbacks=[saver]).fit(Falling(), LOADER)
    resumed = trainer(max_epochs=4)
    resumed.fit(Falling(), LOADER, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert rate(resumed) == rate(straight) == pytest.approx(1e-3)


def test_a_checkpoint_has_the_metrics_that_monitors_read(tmp_path: Path) -> None:
    module = Counting()
    run = trainer()
    run.fit(module, LOADER)
    run.callback_metrics["score"] = torch.tensor(3.0)
    run.save_checkpoint(tmp_path / "a.ckpt")
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["callback_metrics"] == {"score": 3.0}
