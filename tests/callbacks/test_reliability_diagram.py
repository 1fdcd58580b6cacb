from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.image import imread
from torchmetrics.functional.classification import multiclass_calibration_error

from lightning_vi.callbacks import ReliabilityDiagram
from lightning_vi.callbacks.reliability_diagram import BINS, bin_sums
from lightning_vi.plots.reliability import calibration_error


def test_bins_give_the_calibration_error_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(5000, 10, generator=generator).mul(2).softmax(dim=-1)
    targets = torch.randint(10, (5000,), generator=generator)
    confidence, predicted = probabilities.max(dim=-1)
    whole = bin_sums(confidence, predicted == targets)
    expected = multiclass_calibration_error(probabilities, targets, 10, n_bins=BINS)
    assert calibration_error(*whole.numpy()) == pytest.approx(expected.item(), rel=1e-5)
    halves = bin_sums(confidence[:2000], (predicted == targets)[:2000]) + bin_sums(
        confidence[2000:], (predicted == targets)[2000:]
    )
    torch.testing.assert_close(halves, whole)


def test_edges_belong_to_the_bin_below() -> None:
    counts = bin_sums(torch.tensor([1 / 15, 0.1, 1.0]), torch.tensor([True, True, True]))[0]
    assert counts.nonzero().flatten().tolist() == [0, 1, BINS - 1]


def test_draws_what_the_test_reports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    errors: list[float] = []

    def spy(*sums: Any) -> float:
        errors.append(calibration_error(*sums))
        return errors[-1]

    monkeypatch.setattr("lightning_vi.plots.reliability.calibration_error", spy)
    trainer = make_trainer(ReliabilityDiagram())
    trainer.test(*classification, verbose=False)
    trainer.test(*classification, verbose=False)  # must not add up with the first
    assert errors == pytest.approx(2 * [float(trainer.callback_metrics["test/ece"])], rel=1e-5)
    assert imread(tmp_path / "runs/test/version_0/figures/reliability_diagram.png").std() > 0.05


def test_says_once_that_a_regression_has_no_classes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    regression: tuple[LightningModule, LightningDataModule],
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(ReliabilityDiagram()).test(*regression, verbose=False)
    assert caplog.text.count("ReliabilityDiagram draws nothing: BayesByBackprop predicts no classes.") == 1
    assert not list(tmp_path.rglob("*.png"))
