from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from lightning_vi.callbacks import AccuracyRejection
from lightning_vi.plots import accuracy_rejection


def test_draws_what_the_test_reports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    drawn: list[NDArray[np.float64]] = []

    def spy(risks: NDArray[np.float64]) -> Figure:
        drawn.append(risks)
        return accuracy_rejection(risks)

    monkeypatch.setattr("lightning_vi.callbacks.accuracy_rejection.accuracy_rejection", spy)
    trainer = make_trainer(AccuracyRejection())
    for _ in range(2):  # the second must not add up with the first
        (scores,) = trainer.test(*classification, verbose=False)
        assert drawn[-1].shape == (360,)
        assert drawn[-1].mean() == pytest.approx(scores["test/aurc"])
        assert 100 * drawn[-1][-1] == pytest.approx(scores["test/error"])
    assert imread(tmp_path / "runs/test/version_0/figures/accuracy_rejection.png").std() > 0.05


def test_says_once_that_a_regression_has_no_classes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    regression: tuple[LightningModule, LightningDataModule],
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(AccuracyRejection()).test(*regression, verbose=False)
    assert caplog.text.count("AccuracyRejection draws nothing: BayesByBackprop predicts no classes.") == 1
    assert not list(tmp_path.rglob("*.png"))
