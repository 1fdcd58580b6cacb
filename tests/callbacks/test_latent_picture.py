from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from matplotlib.figure import Figure
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.callbacks import (
    Interpolations,
    LatentCodes,
    LatentManifold,
    LatentTraversals,
    LatentUsage,
    PriorSamples,
    Reconstructions,
)
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.latent_space import NothingToDraw
from lightning_vi.modules import VAE, Autoencoder
from lightning_vi.networks import MLP
from tests.latents import small, vae

ALL: list[type[LatentPicture]] = [
    Interpolations,
    LatentCodes,
    LatentManifold,
    LatentTraversals,
    LatentUsage,
    PriorSamples,
    Reconstructions,
]


class Blank(LatentPicture):
    name = "blank"

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        self.modes.append(torch.is_grad_enabled() or any(each.training for each in module.modules()))
        return Figure()


class Refusing(Blank):
    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        raise NothingToDraw("there is none")


def drawn(tmp_path: Path) -> set[str]:
    return {path.stem for path in tmp_path.rglob("*.png")}


def test_draws_after_a_test_in_evaluation_mode(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    blank = Blank()
    make_trainer(blank).test(*vae(), verbose=False)
    assert drawn(tmp_path) == {"blank"}
    assert blank.modes == [False]


def test_says_once_why_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    trainer, (module, data) = make_trainer(Refusing()), vae()
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        for _ in range(2):
            trainer.test(module, data, verbose=False)
    assert caplog.text.count("Refusing draws nothing: there is none.") == 1
    assert not drawn(tmp_path)


def test_other_ranks_draw_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    blank = Blank()
    trainer, (module, _) = make_trainer(blank), vae()
    monkeypatch.setattr(Trainer, "is_global_zero", False)
    blank.draw(trainer, module)
    assert blank.modes == []
    assert not drawn(tmp_path)


def test_a_trial_run_leaves_no_trace(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer(*(each() for each in ALL), fast_dev_run=True)
    module, data = vae(latent_size=2)
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)
    assert not drawn(tmp_path)
    assert not list(tmp_path.rglob("*.csv"))


def test_a_vae_of_two_latent_variables_has_all_pictures(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer(*(each() for each in ALL), max_epochs=1)
    module, data = vae(latent_size=2)
    trainer.fit(module, data)
    assert drawn(tmp_path) == {"prior_samples", "latent_manifold"}  # those that need no test data
    trainer.test(module, data, verbose=False)
    assert drawn(tmp_path) == {each.name for each in ALL}


def test_a_deterministic_autoencoder_has_those_of_its_codes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    _, data = vae()
    module = Autoencoder(data.input_shape, small, small, code_size=2)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(*(each() for each in ALL)).test(module, data, verbose=False)
    assert drawn(tmp_path) == {"reconstructions", "interpolations", "latent_codes"}
    for name in ("PriorSamples", "LatentManifold"):
        assert f"{name} draws nothing: Autoencoder has no latent variables to sample." in caplog.text
    for name in ("LatentTraversals", "LatentUsage"):
        assert f"{name} draws nothing: Autoencoder has no latent variables with a KL." in caplog.text


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_data_that_are_no_images_have_codes_and_usage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    linear = partial(MLP, hidden=[])
    module = VAE((6,), linear, linear, latent_size=2, draws=2, val_draws=2)
    data = DataLoader(TensorDataset(torch.rand(9, 6), torch.arange(9)), batch_size=4)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(*(each() for each in ALL)).test(module, data, verbose=False)
    assert drawn(tmp_path) == {"latent_codes", "latent_usage"}
    assert caplog.text.count("draws nothing: inputs of shape (6,) are no images.") == len(ALL) - 2


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_colours_are_drawn(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    module = VAE((3, 5, 4), small, small, latent_size=2, draws=2, val_draws=2)
    data = DataLoader(TensorDataset(torch.rand(9, 3, 5, 4), torch.arange(9)), batch_size=9)
    make_trainer(*(each() for each in ALL)).test(module, data, verbose=False)
    assert drawn(tmp_path) == {each.name for each in ALL}


def test_a_classifier_has_none(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(*(each() for each in ALL)).test(*classification, verbose=False)
    assert not drawn(tmp_path)
    assert caplog.text.count("draws nothing: BayesByBackprop has no") == len(ALL)
