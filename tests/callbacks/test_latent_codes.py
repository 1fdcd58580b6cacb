from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import LatentCodes
from lightning_vi.errors import UserError
from lightning_vi.modules import Autoencoder
from lightning_vi.plots import code_scatter
from tests.latents import small, spy, vae

TARGET = "lightning_vi.callbacks.latent_codes.code_scatter"


def test_two_variables_are_drawn_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, TARGET, code_scatter)
    module, data = vae(latent_size=2)
    make_trainer(LatentCodes(count=123)).test(module, data, verbose=False)
    x, y = data.test_dataloader().dataset.tensors
    (call,) = calls
    np.testing.assert_allclose(call["points"], module.eval().model.encode(x[:123]).mean.detach(), rtol=1e-5)
    np.testing.assert_array_equal(call["classes"], y[:123])
    assert (call["xlabel"], call["ylabel"]) == ("Latent variable 0", "Latent variable 1")
    assert imread(tmp_path / "runs/test/version_0/figures/latent_codes.png").std() > 0.05


def test_longer_codes_are_drawn_by_their_first_principal_components(
    monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, TARGET, code_scatter)
    module, data = vae(latent_size=5)
    make_trainer(LatentCodes()).test(module, data, verbose=False)
    x = data.test_dataloader().dataset.tensors[0]
    codes = module.eval().model.encode(x).mean.detach().double().numpy()
    centred = codes - codes.mean(axis=0)
    _, scales, directions = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ directions[:2].T
    (call,) = calls
    signs = np.sign((call["points"] * expected).sum(axis=0))
    np.testing.assert_allclose(call["points"] * signs, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    first, second = 100 * scales[:2] ** 2 / (scales**2).sum()
    assert call["xlabel"] == f"First principal component ({first:.0f} % of the variance)"
    assert call["ylabel"] == f"Second principal component ({second:.0f} % of the variance)"


def test_says_that_one_variable_makes_no_plane(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    _, data = vae()
    module = Autoencoder(data.input_shape, small, small, code_size=1)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(LatentCodes()).test(module, data, verbose=False)
    assert (
        "LatentCodes draws nothing: a plane needs 2 codes of 2 variables, not codes of shape (360, 1)." in caplog.text
    )
    assert not list(tmp_path.rglob("*.png"))


def test_refuses_one() -> None:
    with pytest.raises(UserError, match=r"LatentCodes: count \(=1\) must be at least 2"):
        LatentCodes(count=1)
