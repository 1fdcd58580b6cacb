from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from matplotlib.image import imread

from lightning_vi.callbacks import LearningCurves


def test_notes_the_logged_values_of_every_epoch(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    curves = LearningCurves()
    trainer = make_trainer(curves, max_epochs=3)
    trainer.fit(*classification)
    logged: dict[str, list[float]] = {"val/error": [], "train/elbo": []}
    header, *lines = (tmp_path / "runs/test/version_0/metrics.csv").read_text().splitlines()
    for line in lines:
        for name, value in zip(header.split(","), line.split(","), strict=True):
            if name in logged and value:
                logged[name].append(float(value))
    assert logged.keys() < curves.history.keys()
    for name, values in logged.items():
        assert list(curves.history[name]) == [1, 2, 3]
        assert list(curves.history[name].values()) == pytest.approx(values)
    assert imread(tmp_path / "runs/test/version_0/figures/learning_curves.png").std() > 0.05


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")
@pytest.mark.parametrize("monitor", [None, "val/nll"])
def test_a_resumed_run_shows_the_whole_curve(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
    monitor: str | None,
) -> None:
    def run(curves: LearningCurves, epochs: int, checkpoint: Path | None) -> None:
        saving = ModelCheckpoint(tmp_path / "checkpoints", monitor=monitor, save_last=True)
        trainer = make_trainer(curves, saving, max_epochs=epochs, logger=False, enable_checkpointing=True)
        trainer.fit(*classification, ckpt_path=checkpoint)

    first, second = LearningCurves(), LearningCurves()
    run(first, 2, None)
    last = tmp_path / "checkpoints" / "last.ckpt"
    torch.load(last, weights_only=True)
    run(second, 4, last)
    for name in ("val/error", "train/elbo"):
        assert sorted(second.history[name]) == [1, 2, 3, 4]
        assert {epoch: second.history[name][epoch] for epoch in (1, 2)} == first.history[name]


def test_a_regression_shows_its_root_mean_squared_error(
    make_trainer: Callable[..., Trainer], regression: tuple[LightningModule, LightningDataModule]
) -> None:
    curves = LearningCurves()
    make_trainer(curves).fit(*regression)
    assert {"val/rmse", "val/nll", "train/elbo"} < curves.history.keys()
    assert not any(name.endswith("_step") for name in curves.history)
