import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import LatentUsage
from lightning_vi.callbacks.latent_usage import table
from lightning_vi.latent_model import StochasticLayer
from lightning_vi.latent_scores import LatentUnits
from lightning_vi.plots import usage_bars
from tests.latents import small, spy, vae


def test_the_file_has_what_the_test_has_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.latent_usage.usage_bars", usage_bars)
    module, data = vae(latent_size=4, upper=[StochasticLayer(2, small, small)])
    make_trainer(LatentUsage()).test(module, data, verbose=False)
    with (tmp_path / "runs/test/version_0/latents.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["latent"]) for row in rows] == [
        *(("1", str(latent)) for latent in range(4)),
        *(("2", str(latent)) for latent in range(2)),
    ]
    for name, attribute in {"kl": "kl", "variance_of_mean": "variance", "active": "active"}.items():
        written = torch.tensor([float(row[name]) for row in rows])
        truth = torch.cat([getattr(each, attribute).float() for each in module.units])
        torch.testing.assert_close(written, truth, rtol=1e-5, atol=0)
    (call,) = calls
    for each, kl, active in zip(module.units, call["kl"], call["active"], strict=True):
        assert torch.equal(each.kl, kl)
        assert torch.equal(each.active, active)
    assert imread(tmp_path / "runs/test/version_0/figures/latent_usage.png").std() > 0.05


def test_lines_of_the_file() -> None:
    first = LatentUnits(torch.tensor([1.5, 0.000123456789]), torch.tensor([0.9, 0.001]))
    second = LatentUnits(torch.tensor([-0.25]), torch.tensor([0.02]))
    assert table([first, second]) == ["1,0,1.5,0.9,1", "1,1,0.000123457,0.001,0", "2,0,-0.25,0.02,1"]


@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_a_later_test_replaces_the_file(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    trainer, (module, data) = make_trainer(LatentUsage()), vae()
    trainer.test(module, data, verbose=False)
    path = tmp_path / "runs/test/version_0/latents.csv"
    before = path.read_text()
    with torch.no_grad():
        for each in module.model.encoders.parameters():
            each.zero_()
    trainer.test(module, data, verbose=False)
    assert path.read_text() != before
    assert path.read_text().splitlines()[1] == "1,0,0,0,0"
