from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_vi.callbacks import UncertainImages
from lightning_vi.errors import UserError
from lightning_vi.modules import BayesByBackprop
from lightning_vi.plots import image_grid


def test_shows_the_most_uncertain_of_the_whole_test_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[BayesByBackprop, LightningDataModule],
) -> None:
    drawn: list[Any] = []

    def spy(*arguments: Any) -> Figure:
        drawn.extend(arguments)
        return image_grid(*arguments)

    monkeypatch.setattr("lightning_vi.callbacks.uncertain_images.image_grid", spy)
    module, data = classification
    make_trainer(UncertainImages(count=7)).test(module, data, verbose=False)  # in four batches

    x, y = data.test_dataloader().dataset.tensors
    predictive = module.predictive(x)
    top = predictive.entropy.topk(7).indices
    images, captions, wrong, _ = drawn
    np.testing.assert_array_equal(images, x[top].numpy())
    predicted = predictive.probabilities.argmax(dim=-1)
    assert captions == [f"true {y[i]}, predicted {predicted[i]}\n{predictive.entropy[i]:.2f} nats" for i in top]
    assert wrong == (y != predicted)[top].tolist()
    assert imread(tmp_path / "runs/test/version_0/figures/uncertain_images.png").std() > 0.05


def test_shows_all_where_there_are_fewer(
    make_trainer: Callable[..., Trainer],
    monkeypatch: pytest.MonkeyPatch,
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    counts: list[int] = []

    def spy(images: Any, *_: Any) -> Figure:
        counts.append(len(images))
        return Figure()

    monkeypatch.setattr("lightning_vi.callbacks.uncertain_images.image_grid", spy)
    make_trainer(UncertainImages(count=150), limit_test_batches=1).test(*classification, verbose=False)
    assert counts == [90]


def test_says_once_that_there_are_no_images(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    regression: tuple[LightningModule, LightningDataModule],
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(UncertainImages()).test(*regression, verbose=False)
    assert caplog.text.count("UncertainImages draws nothing") == 1
    assert not list(tmp_path.rglob("*.png"))


def test_refuses_no_images() -> None:
    with pytest.raises(UserError, match=r"count \(=0\) must be at least 1"):
        UncertainImages(count=0)
