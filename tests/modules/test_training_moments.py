"""That a module's first training starts its decoder, and a second one does not, is in the modules' tests."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.modules.training_moments import start_at_training_moments, training_moments
from tests.ppca import two_layers


@pytest.mark.parametrize("labels", [[], [torch.zeros(2345)]], ids=["inputs", "inputs and labels"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moments_are_numpys(labels: list[Tensor], dtype: torch.dtype) -> None:
    """Of pixels far from 0 too, whose variance would be lost in float32; of one that never varies it is 0."""
    x = torch.randn(2345, 1, 3, 2, dtype=dtype) * torch.tensor([0.1, 5.0]) + 1000.0
    x[:, 0, 1, 1] = 0.1
    mean, variance = training_moments(TensorDataset(x, *labels))
    pixels = x.flatten(1).double().numpy()
    np.testing.assert_allclose(mean.numpy(), np.mean(pixels, axis=0), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), np.var(pixels, axis=0), rtol=1e-6, atol=1e-15)
    assert mean.dtype == variance.dtype == torch.float32
    assert (variance >= 0.0).all()


class Bare(Dataset[Tensor]):
    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.rows[index]


@pytest.mark.parametrize("shape", [(1, 3, 2), (6,)], ids=str)
def test_a_set_of_inputs_alone_has_the_same_moments(shape: tuple[int, ...]) -> None:
    x = torch.rand(23, *shape)
    for bare, labelled in zip(training_moments(Bare(x)), training_moments(TensorDataset(x)), strict=True):
        assert torch.equal(bare, labelled)


def test_there_are_none_of_an_empty_set() -> None:
    with pytest.raises(UserError, match="The training set is empty"):
        training_moments(TensorDataset(torch.zeros(0, 4), torch.zeros(0)))


class Unread(Dataset[tuple[Tensor, ...]]):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        raise AssertionError("the training set has been read")


def of(dataset: Dataset[Any]) -> Trainer:
    """What of a trainer is looked at."""
    return cast(Trainer, SimpleNamespace(train_dataloader=DataLoader(dataset, 5)))


def test_a_decoder_starts_at_the_mean() -> None:
    model, x = two_layers(), torch.rand(30, 6)
    start_at_training_moments(model, of(TensorDataset(x)))
    torch.testing.assert_close(model.offset, x.mean(dim=0).double(), rtol=1e-6, atol=0)


def test_a_started_decoder_is_left_alone_and_the_data_are_not_read_again() -> None:
    model = two_layers()
    model.offset[3] = 0.25
    before = model.offset.clone()
    start_at_training_moments(model, of(Unread()))
    assert torch.equal(model.offset, before)
