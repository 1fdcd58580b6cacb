from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.callbacks import Interpolations
from lightning_vi.callbacks.examples import Examples
from lightning_vi.callbacks.interpolations import pairs
from lightning_vi.errors import UserError
from lightning_vi.plots import image_rows
from tests.latents import spy, vae


def examples(*classes: int) -> Examples:
    return Examples(torch.zeros(len(classes), 1), torch.tensor(classes))


def test_pairs_are_of_different_classes() -> None:
    assert pairs(examples(4, 4, 4, 1, 2, 2, 2, 0, 5), 9) == [(0, 3), (4, 7)]
    assert pairs(examples(1, 2, 1, 2, 1, 2), 2) == [(0, 1), (2, 3)]
    assert pairs(examples(3, 3, 3), 2) == []
    assert pairs(Examples(torch.zeros(5, 1), None), 4) == [(0, 1), (2, 3)]


def test_lines_end_at_the_codes_beside_their_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trainer: Callable[..., Trainer]
) -> None:
    calls = spy(monkeypatch, "lightning_vi.callbacks.interpolations.image_rows", image_rows)
    module, data = vae()
    make_trainer(Interpolations(pairs=4, steps=5)).test(module, data, verbose=False)
    x, y = data.test_dataloader().dataset.tensors
    first, last = torch.tensor(pairs(Examples(x, y), 4)).T
    assert (y[first] != y[last]).all()
    model = module.eval().model
    starts, ends = (model.encode(x[each]).mean.detach() for each in (first, last))
    (call,) = calls
    assert call["images"].shape == (4, 7, 1, 8, 8)
    assert torch.equal(call["images"][:, 0], x[first])
    assert torch.equal(call["images"][:, -1], x[last])
    for column, weight in enumerate((0, 0.25, 0.5, 0.75, 1), start=1):
        outputs = model.decode((1 - weight) * starts + weight * ends)
        torch.testing.assert_close(call["images"][:, column].flatten(start_dim=1), torch.sigmoid(outputs).detach())
    assert call["column_labels"] == ["original", "", "", "", "", "", "original"]
    assert imread(tmp_path / "runs/test/version_0/figures/interpolations.png").std() > 0.05


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_says_that_there_is_one_class_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    module, _ = vae()
    data = DataLoader(TensorDataset(torch.rand(6, 1, 8, 8), torch.full((6,), 3)), batch_size=6)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(Interpolations()).test(module, data, verbose=False)
    assert "Interpolations draws nothing: the first 6 test examples are of one class." in caplog.text
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(("options", "text"), [({"pairs": 0}, r"pairs \(=0\)"), ({"steps": 1}, r"steps \(=1\)")])
def test_refuses_too_few(options: dict[str, int], text: str) -> None:
    with pytest.raises(UserError, match=f"Interpolations: {text} must be at least"):
        Interpolations(**options)
