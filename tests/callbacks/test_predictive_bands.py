from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_vi.callbacks import PredictiveBands
from lightning_vi.errors import UserError
from lightning_vi.plots import predictive_bands


def test_looks_beyond_the_training_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    regression: tuple[LightningModule, LightningDataModule],
) -> None:
    drawn: list[Any] = []

    def spy(*arguments: Any) -> Figure:
        drawn.append(arguments)
        return predictive_bands(*arguments)

    monkeypatch.setattr("lightning_vi.callbacks.predictive_bands.predictive_bands", spy)
    module, data = regression
    trainer = make_trainer(PredictiveBands(margin=0.5))
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)
    assert len(drawn) == 2  # the test may have loaded another checkpoint
    grid, mean, bands, (x, y) = drawn[0]
    inputs, targets = data.train_dataloader().dataset.tensors
    np.testing.assert_array_equal(x, inputs.flatten())
    np.testing.assert_array_equal(y, targets.flatten())
    assert grid[0] == pytest.approx(x.min() - 0.5 * np.ptp(x), abs=1e-6)
    assert grid[-1] == pytest.approx(x.max() + 0.5 * np.ptp(x), abs=1e-6)
    assert (bands[0.05][0] < bands[0.25][0]).all()
    assert (bands[0.25][0] < mean).all()
    assert (mean < bands[0.25][1]).all()
    assert (bands[0.25][1] < bands[0.05][1]).all()
    assert imread(tmp_path / "runs/test/version_0/figures/predictive_bands.png").std() > 0.05


def test_says_once_that_images_are_no_curve(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    point_estimate: tuple[LightningModule, LightningDataModule],
) -> None:
    trainer = make_trainer(PredictiveBands(), max_epochs=1)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        trainer.fit(*point_estimate)
        trainer.test(*point_estimate, verbose=False)
    assert caplog.text.count("PredictiveBands draws nothing") == 1
    assert not list(tmp_path.rglob("*.png"))


def test_refuses_a_negative_margin() -> None:
    with pytest.raises(UserError, match=r"margin \(=-1\) must not be negative"):
        PredictiveBands(margin=-1)
