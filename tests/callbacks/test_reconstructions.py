from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import Reconstructions
from lightning_vi.corruptions import Corruption, GaussianNoise, Masking
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Gaussian
from lightning_vi.plots import image_rows
from tests.latents import spy, vae


@pytest.mark.parametrize("corruption", [None, Masking(0.5), GaussianNoise(1.0)], ids=repr)
def test_shows_the_first_test_examples_and_the_images_of_their_codes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    corruption: Corruption | None,
) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.reconstructions.image_rows", image_rows)
    module, data = vae(corruption=corruption, likelihood=Gaussian(0.5))
    make_trainer(Reconstructions(count=5)).test(module, data, verbose=False)

    x = data.test_dataloader().dataset.tensors[0][:5]
    model = module.eval().model
    seen = x if corruption is None else corruption(x, torch.Generator().manual_seed(0))
    outputs = model.decode(model.encode(seen).mean).view(5, 1, 8, 8).detach()
    assert outputs.min() < 0  # which is cut
    rows = {"original": x, "corrupted": seen.clamp(0, 1), "reconstruction": outputs.clamp(0, 1)}
    if corruption is None:
        del rows["corrupted"]
    (call,) = calls
    assert call["row_labels"] == list(rows)
    torch.testing.assert_close(call["images"], torch.stack(list(rows.values())))
    assert imread(tmp_path / "runs/test/version_0/figures/reconstructions.png").std() > 0.05


def test_refuses_none() -> None:
    with pytest.raises(UserError, match=r"Reconstructions: count \(=0\) must be at least 1"):
        Reconstructions(count=0)
