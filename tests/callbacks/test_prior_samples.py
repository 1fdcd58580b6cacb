from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import PriorSamples
from lightning_vi.errors import UserError
from lightning_vi.latent_model import StochasticLayer
from lightning_vi.plots import image_rows
from tests.latents import small, spy, vae


@pytest.mark.parametrize("upper", [[], [StochasticLayer(2, small, small)]], ids=["one layer", "two layers"])
def test_shows_expected_images_of_the_same_draws_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer], upper: list[StochasticLayer]
) -> None:
    calls = spy(monkeypatch, "lightning_vi.latent_pictures.image_rows", image_rows)
    module, data = vae(upper=upper)
    trainer = make_trainer(PriorSamples(rows=2, columns=3))
    for _ in range(2):
        trainer.test(module, data, verbose=False)
    model = module.eval().model
    generator = torch.Generator().manual_seed(0)
    top = torch.randn(6, model.sizes[-1], generator=generator)
    expected = torch.sigmoid(model.descend(top, generator)).view(2, 3, 1, 8, 8).detach()
    for call in calls:
        torch.testing.assert_close(call["images"], expected)
    assert len(calls) == 2
    assert imread(tmp_path / "runs/test/version_0/figures/prior_samples.png").std() > 0.05


def test_refuses_none() -> None:
    with pytest.raises(UserError, match=r"PriorSamples: columns \(=0\) must be at least 1"):
        PriorSamples(columns=0)
