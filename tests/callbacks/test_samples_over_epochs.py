from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.callbacks import SamplesOverEpochs
from lightning_vi.datamodules import Curve, Digits
from lightning_vi.errors import UserError
from lightning_vi.latent_space import generative, prior_samples
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian
from lightning_vi.plots import image_rows
from tests.latents import spy

NET = partial(MLP, hidden=[8])


def gan(shape: tuple[int, ...] = (1, 8, 8)) -> GAN:
    seed_everything(0, verbose=False)
    return GAN(shape, NET, NET, Gaussian(3), ema=0.9)


def digits() -> Digits:
    return Digits(batch_size=500, seed=0)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return spy(monkeypatch, "lightning_vi.callbacks.samples_over_epochs.image_rows", image_rows)


def test_rows_are_the_same_noise_after_powers_of_two_and_at_the_end(
    tmp_path: Path, make_trainer: Callable[..., Trainer], pictures: list[dict[str, Any]]
) -> None:
    module = gan()
    make_trainer(SamplesOverEpochs(columns=4), max_epochs=5).fit(module, digits())
    (picture,) = pictures
    assert picture["row_labels"] == ["1 epoch", "2 epochs", "4 epochs", "5 epochs"]
    expected = prior_samples(generative(module.eval()), 4, 0)  # of the averaged generator
    torch.testing.assert_close(picture["images"][-1], expected, atol=0.5 / 255 + 1e-6, rtol=0)
    assert not torch.equal(picture["images"][0], picture["images"][-1])
    assert (tmp_path / "runs/test/version_0/figures/samples_over_epochs.png").exists()


def test_a_resumed_run_draws_the_same_picture(
    tmp_path: Path, make_trainer: Callable[..., Trainer], pictures: list[dict[str, Any]]
) -> None:
    def fit(epochs: int, checkpoint: Path | None = None) -> Trainer:
        logger = CSVLogger(tmp_path, name="runs", version=f"{epochs} {checkpoint is None}")
        trainer = make_trainer(SamplesOverEpochs(4), max_epochs=epochs, logger=logger)
        trainer.fit(gan(), digits(), ckpt_path=checkpoint, weights_only=True)
        return trainer

    fit(3).save_checkpoint(tmp_path / "last.ckpt")
    fit(5, tmp_path / "last.ckpt")
    fit(5)
    _, resumed, whole = pictures
    assert resumed["row_labels"] == whole["row_labels"]
    assert torch.equal(resumed["images"], whole["images"])


def test_the_noise_is_the_checkpoints(make_trainer: Callable[..., Trainer], pictures: list[dict[str, Any]]) -> None:
    callback, module, latents = SamplesOverEpochs(2), gan(), torch.ones(2, 3)
    callback.load_state_dict({"latents": latents, "images": {}})
    make_trainer(callback, max_epochs=1).fit(module, digits())
    expected = module.eval().sampled.descend(latents).detach()
    torch.testing.assert_close(pictures[0]["images"][-1].flatten(1), expected, atol=0.5 / 255 + 1e-6, rtol=0)


def test_what_has_no_images_is_told(
    make_trainer: Callable[..., Trainer], pictures: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(SamplesOverEpochs(), max_epochs=1, limit_val_batches=0).fit(gan((1,)), Curve(seed=0))
    assert caplog.text.count("SamplesOverEpochs draws nothing: inputs of shape (1,) are no images.") == 1
    assert not pictures


@pytest.mark.filterwarnings(
    "ignore:Using ModelCheckpoint with manual optimization", "ignore:Be aware that when using `ckpt_path`"
)
def test_a_checkpoint_behind_an_epochs_last_step_has_its_row(
    tmp_path: Path, make_trainer: Callable[..., Trainer], pictures: list[dict[str, Any]]
) -> None:
    saving = ModelCheckpoint(tmp_path / "saved", "{step}", every_n_train_steps=6, save_top_k=-1)  # three an epoch
    make_trainer(SamplesOverEpochs(4), saving, max_epochs=2, enable_checkpointing=True).fit(gan(), digits())
    logger = CSVLogger(tmp_path, name="second")
    resumed = make_trainer(SamplesOverEpochs(4), max_epochs=3, logger=logger)
    resumed.fit(gan(), digits(), ckpt_path=tmp_path / "saved" / "step=6.ckpt", weights_only=True)
    assert pictures[-1]["row_labels"] == ["1 epoch", "2 epochs", "3 epochs"]


def test_refuses_none() -> None:
    with pytest.raises(UserError, match=r"SamplesOverEpochs: columns \(=0\) must be at least 1"):
        SamplesOverEpochs(columns=0)
