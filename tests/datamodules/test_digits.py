import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

from lightning_vi.datamodules import (
    Affine,
    Dequantisation,
    Digits,
    Divide,
    FixedBinarisation,
    Scaling,
    Standardise,
    StochasticBinarisation,
    Transform,
)
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


def test_binarised_test_images_have_the_grey_images_mean() -> None:
    grey = Digits().splits().test.tensors[0].double()
    datamodule = Digits(transform=StochasticBinarisation())
    datamodule.setup()
    bits = torch.cat([x for x, _ in datamodule.test_dataloader()]).double()
    deviation = (bits - grey).sum() / (grey * (1 - grey)).sum().sqrt()
    assert abs(deviation) < 5
    assert torch.equal(bits[grey == 0].unique(), torch.zeros(1, dtype=torch.float64))


def test_dequantised_pixels_keep_their_17_levels() -> None:
    datamodule = Digits(transform=Dequantisation(), seed=1, batch_size=1257)
    datamodule.setup()
    assert datamodule.levels == 17
    ((x, y),) = datamodule.train_dataloader()
    expected = sorted(rows(Digits().splits().training))
    assert sorted(rows(TensorDataset((17 * x).floor() / 16, y))) == expected
    test = next(iter(datamodule.test_dataloader()))
    assert rows(TensorDataset((17 * test[0]).floor() / 16, test[1])) == rows(Digits().splits().test)


@pytest.mark.parametrize("scaling", [Divide(8.0), Standardise()])
def test_a_checkpoint_keeps_how_pixels_became_inputs(scaling: Scaling) -> None:
    datamodule = Digits(scaling=scaling)
    datamodule.setup()
    pixels = datamodule.state_dict()["pixels"]
    assert (pixels["maximum"], pixels["transform"]) == (16.0, None)
    raw = 16 * Digits().splits().test.tensors[0]
    assert torch.equal(Affine(**pixels["scaling"])(raw), datamodule.test_dataloader().dataset.tensors[0])
    binarised = Digits(transform=FixedBinarisation())
    binarised.setup()
    assert binarised.state_dict()["pixels"]["transform"] == "FixedBinarisation"


@pytest.mark.parametrize("transform", [StochasticBinarisation(), FixedBinarisation(), Dequantisation()])
def test_a_transform_needs_grey_values(transform: Transform) -> None:
    for scaling in (Divide(8.0), Standardise()):
        with pytest.raises(UserError, match=r"inputs must lie in \[0, 1\].*set scaling to UnitInterval"):
            Digits(scaling=scaling, transform=transform).setup()
    Digits(scaling=Divide(16.0), transform=transform, validation_size=0).setup()
