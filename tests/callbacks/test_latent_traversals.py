from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import LatentTraversals
from lightning_vi.errors import UserError
from lightning_vi.plots import image_rows
from tests.latents import spy, vae


def test_the_variables_of_highest_kl_change_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.latent_traversals.image_rows", image_rows)
    module, data = vae(latent_size=4)
    make_trainer(LatentTraversals(latents=3, steps=5)).test(module, data, verbose=False)
    kl = module.units[0].kl
    chosen = kl.argsort(descending=True)[:3].tolist()
    (call,) = calls
    assert call["row_labels"] == [f"latent {each}: {kl[each]:.2f} nats" for each in chosen]
    assert call["column_labels"] == ["−3", "−1.5", "0", "1.5", "3"]
    model = module.eval().model
    code = model.encode(data.test_dataloader().dataset.tensors[0][:1]).mean.squeeze(0)
    for row, variable in enumerate(chosen):
        for column, value in enumerate((-3, -1.5, 0, 1.5, 3)):
            latents = code.detach().clone()
            latents[variable] = value
            expected = torch.sigmoid(model.decode(latents.unsqueeze(0))).view(1, 8, 8).detach()
            torch.testing.assert_close(call["images"][row, column], expected)
    assert imread(tmp_path / "runs/test/version_0/figures/latent_traversals.png").std() > 0.05


def test_shows_all_where_there_are_fewer(monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.latent_traversals.image_rows", image_rows)
    make_trainer(LatentTraversals()).test(*vae(latent_size=2), verbose=False)
    assert calls[0]["images"].shape == (2, 9, 1, 8, 8)


def test_refuses_one_step() -> None:
    with pytest.raises(UserError, match=r"LatentTraversals: steps \(=1\) must be at least 2"):
        LatentTraversals(steps=1)
