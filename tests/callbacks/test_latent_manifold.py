from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread
from scipy.stats import norm
from torch import Tensor

from lightning_vi.callbacks import LatentManifold
from lightning_vi.errors import UserError
from lightning_vi.latent_model import LatentModel, StochasticLayer
from lightning_vi.plots import manifold_grid
from tests.latents import small, spy, vae


def test_decodes_the_inverse_normal_cdf_of_cell_midpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    decode, latents = LatentModel.decode, []

    def note(self: LatentModel, given: Tensor) -> Tensor:
        latents.append(given)
        return decode(self, given)

    module, data = vae(latent_size=2)
    callback = LatentManifold(side=4)
    calls = spy(monkeypatch, "lightning_vi.latent_pictures.manifold_grid", manifold_grid)
    make_trainer(callback).test(module, data, verbose=False)
    with monkeypatch.context() as patch:
        patch.setattr(LatentModel, "decode", note)
        callback.draw(make_trainer(fast_dev_run=True), module)
    u = (np.arange(4) + 0.5) / 4
    expected = [[norm.ppf([u[column], u[3 - row]]) for column in range(4)] for row in range(4)]
    np.testing.assert_allclose(torch.cat(latents).view(4, 4, 2), expected, rtol=1e-6)
    images = torch.sigmoid(module.eval().model.decode(torch.tensor(np.array(expected)).float())).view(4, 4, 1, 8, 8)
    for call in calls:
        torch.testing.assert_close(call["images"], images.detach())
    assert imread(tmp_path / "runs/test/version_0/figures/latent_manifold.png").std() > 0.05


def test_it_is_of_the_last_layer(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    module, data = vae(upper=[StochasticLayer(2, small, small)])
    make_trainer(LatentManifold(side=2)).test(module, data, verbose=False)
    assert len(list(tmp_path.rglob("latent_manifold.png"))) == 1


def test_says_once_that_there_are_not_two(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    trainer, (module, data) = make_trainer(LatentManifold(), max_epochs=1), vae(latent_size=3)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        trainer.fit(module, data)
        trainer.test(module, data, verbose=False)
    text = "LatentManifold draws nothing: a manifold needs 2 latent variables, and the model has 3."
    assert caplog.text.count(text) == 1
    assert not list(tmp_path.rglob("*.png"))


def test_refuses_none() -> None:
    with pytest.raises(UserError, match=r"LatentManifold: side \(=0\) must be at least 1"):
        LatentManifold(side=0)
