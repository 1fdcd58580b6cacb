from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.callbacks import GeneratedImages, LearningCurves
from lightning_vi.callbacks.generated_images import generated
from lightning_vi.datamodules import Curve, Digits
from lightning_vi.errors import UserError
from lightning_vi.image_scores import ImageScores
from lightning_vi.latent_space import generative
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian
from tests.bare_trainer import trainer

NET = partial(MLP, hidden=[8])


def gan(shape: tuple[int, ...] = (1, 8, 8)) -> GAN:
    torch.manual_seed(0)
    return GAN(shape, NET, NET, Gaussian(3))


def test_what_is_logged_are_the_scores_of_the_generated_images(tmp_path: Path) -> None:
    data, module = Digits(seed=0), gan()
    run = trainer(callbacks=[GeneratedImages(count=60)], logger=CSVLogger(tmp_path, name=""))
    run.test(module, data, verbose=False)
    training, validation, test = (each.tensors[0] for each in data.splits())
    images = generated(generative(module.eval()), 60)
    assert images.shape == (60, 1, 8, 8)
    expected = ImageScores(training, validation, test).measure(images).scores()
    logged = {name.removeprefix("test/"): float(value) for name, value in run.callback_metrics.items()}
    assert {name: logged[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_every_block_has_draws_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_vi.callbacks.generated_images.BLOCK", 20)
    model = generative(gan().eval())
    images = generated(model, 50)
    assert len(torch.unique(images, dim=0)) == 50
    assert torch.equal(generated(model, 50), images)


def test_training_is_measured_on_validation_images(tmp_path: Path) -> None:
    callback, curves = GeneratedImages(every_n_epochs=2, val_count=30), LearningCurves()
    run = trainer(max_epochs=3, callbacks=[callback, curves], logger=CSVLogger(tmp_path, name=""), log_every_n_steps=1)
    run.fit(gan(), Digits(seed=0, batch_size=200))
    assert "val/parzen" in run.callback_metrics
    rows = (tmp_path / "version_0" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("val/parzen")
    assert sum(bool(row.split(",")[column]) for row in rows[1:]) == 1
    assert 2 in curves.history["val/parzen"]
    assert 1 not in curves.history["val/parzen"]


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_what_has_no_images_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lightning.pytorch")
    run = trainer(callbacks=[GeneratedImages()], logger=CSVLogger(tmp_path, name=""))
    run.test(gan((1,)), Curve(seed=0), verbose=False)
    assert "test/parzen" not in run.callback_metrics
    assert "GeneratedImages logs nothing: inputs of shape (1,) are no images." in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 19}, r"GeneratedImages: count \(=19\) must be at least 20"),
        ({"val_count": 0}, r"val_count \(=0\) must be at least 20"),
        ({"every_n_epochs": -1}, r"every_n_epochs \(=-1\) must be at least 0"),
    ],
)
def test_numbers_that_are_too_small(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GeneratedImages(**options)
