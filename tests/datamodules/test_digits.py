import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

from lightning_vi.datamodules import Digits, Divide
from lightning_vi.errors import UserError


def rows(dataset: TensorDataset) -> list[tuple[int, bytes]]:
    x, y = dataset.tensors
    return [(int(label), (16 * image).numpy().astype(np.uint8).tobytes()) for image, label in zip(x, y, strict=True)]


def test_the_three_splits_are_scikit_learns_digits_over_16() -> None:
    splits = Digits().splits()
    assert [len(split) for split in splits] == [1257, 180, 360]
    digits = load_digits()
    expected = [
        (int(label), image.astype(np.uint8).tobytes())
        for image, label in zip(digits.images, digits.target, strict=True)
    ]
    assert sorted(row for split in splits for row in rows(split)) == sorted(expected)
    x, y = splits.training.tensors
    assert x.shape[1:] == Digits.input_shape
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert (x.min().item(), x.max().item()) == (0, 1)


def test_every_split_has_the_classes_in_proportion() -> None:
    share = np.bincount(load_digits().target) / 1797
    for split in Digits().splits():
        counts = np.bincount(split.tensors[1].numpy(), minlength=Digits.target_size)
        assert np.abs(counts - len(split) * share).max() <= 1.5


def test_the_split_is_fixed_and_the_test_part_does_not_depend_on_the_validation_part() -> None:
    torch.manual_seed(1)
    first = Digits(seed=1).splits()
    torch.manual_seed(2)
    second = Digits(seed=2).splits()
    without = Digits(validation_size=0, scaling=Divide(16.0)).splits()
    assert rows(first.training) == rows(second.training)
    assert rows(first.test) == rows(without.test)
    assert [len(split) for split in without] == [1437, 0, 360]


@pytest.mark.parametrize("size", [-1, 9, 1428, 5000])
def test_a_validation_split_that_would_miss_a_class_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"validation_size \(={size}\) must be 0 or lie in \[10, 1427\]"):
        Digits(validation_size=size)


def test_the_extreme_validation_splits_work() -> None:
    for size in (10, 1427):
        splits = Digits(validation_size=size).splits()
        assert len(splits.training) + size == 1437
        assert set(splits.training.tensors[1].tolist()) == set(range(10))
