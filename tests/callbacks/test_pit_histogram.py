from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from lightning_vi.callbacks import PITHistogram
from lightning_vi.callbacks.pit_histogram import BINS, bin_counts
from lightning_vi.plots import pit_histogram


def test_counts_are_numpys() -> None:
    levels = torch.cat((torch.rand(500), torch.tensor([0.0, 0.05, 0.5, 1.0])))
    expected, _ = np.histogram(levels.double(), bins=BINS, range=(0, 1))
    assert bin_counts(levels.view(-1, 2)).tolist() == expected.tolist()


def test_draws_the_levels_of_all_test_targets(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    regression: tuple[LightningModule, LightningDataModule],
) -> None:
    drawn: list[NDArray[np.float64]] = []

    def spy(counts: NDArray[np.float64]) -> Figure:
        drawn.append(counts)
        return pit_histogram(counts)

    monkeypatch.setattr("lightning_vi.callbacks.pit_histogram.pit_histogram", spy)
    trainer = make_trainer(PITHistogram())
    for _ in range(2):  # the second must not add up with the first
        (scores,) = trainer.test(*regression, verbose=False)
        assert drawn[-1].sum() == 1000
        # The middle half of the bins is the central interval of 50 %.
        assert drawn[-1][BINS // 4 : -BINS // 4].sum() == pytest.approx(10 * scores["test/coverage_50"], abs=1)
    assert imread(tmp_path / "runs/test/version_0/figures/pit_histogram.png").std() > 0.05


def test_says_once_that_classes_have_no_levels(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(PITHistogram()).test(*classification, verbose=False)
    assert caplog.text.count("PITHistogram draws nothing: BayesByBackprop predicts no numbers") == 1
    assert not list(tmp_path.rglob("*.png"))
