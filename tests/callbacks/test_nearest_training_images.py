from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from lightning_vi.callbacks import NearestTrainingImages
from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.latent_space import generative, prior_samples
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian
from lightning_vi.plots import image_rows
from tests.latents import spy


def test_neighbours_stand_below_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.nearest_training_images.image_rows", image_rows)
    net = partial(MLP, hidden=[8])
    data, module = Digits(seed=0), GAN((1, 8, 8), net, net, Gaussian(3))
    make_trainer(NearestTrainingImages(rows=2, columns=3)).test(module, data, verbose=False)
    images = prior_samples(generative(module.eval()), 6, 0)
    training = data.splits().training.tensors[0]
    distances = (images[:, None] - training).square().flatten(2).sum(-1)
    rows = calls[0]["images"]
    assert rows.shape == (4, 3, 1, 8, 8)
    torch.testing.assert_close(rows[0::2].flatten(0, 1), images)
    torch.testing.assert_close(rows[1::2].flatten(0, 1), training[distances.argmin(dim=1)])
    assert (tmp_path / "runs/test/version_0/figures/nearest_training_images.png").exists()


def test_refuses_none() -> None:
    with pytest.raises(UserError, match=r"NearestTrainingImages: rows \(=0\) must be at least 1"):
        NearestTrainingImages(rows=0)
