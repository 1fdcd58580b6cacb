from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import SignalToNoise


def test_is_drawn_after_training_and_after_a_test(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    trainer = make_trainer(SignalToNoise(), max_epochs=1)
    file = tmp_path / "runs/test/version_0/figures/signal_to_noise.png"
    trainer.fit(*classification)
    assert imread(file).std() > 0.05
    file.unlink()
    trainer.test(*classification, verbose=False)
    assert file.is_file()


def test_says_once_that_a_point_estimate_has_no_noise(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    point_estimate: tuple[LightningModule, LightningDataModule],
) -> None:
    trainer = make_trainer(SignalToNoise(), max_epochs=1)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        trainer.fit(*point_estimate)
        trainer.test(*point_estimate, verbose=False)
    assert caplog.text.count("SignalToNoise draws nothing: PointEstimate has no Bayesian weights.") == 1
    assert not list(tmp_path.rglob("*.png"))
