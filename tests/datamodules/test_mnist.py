from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from lightning_vi.datamodules import (
    KMNIST,
    MNIST,
    Dequantisation,
    Divide,
    FashionMNIST,
    FixedBinarisation,
    Splits,
    Standardise,
    StochasticBinarisation,
    Transform,
    UnitInterval,
)
from lightning_vi.errors import UserError

SIZES = {"train": 60_000, "t10k": 10_000}


def files(root: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    raw = root / "MNIST" / "raw"
    pixels = np.fromfile(raw / f"{prefix}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    return pixels, np.fromfile(raw / f"{prefix}-labels-idx1-ubyte", np.uint8)[8:]


@pytest.fixture(scope="module")
def splits(mnist_root: Path) -> Splits:
    return MNIST(root=mnist_root, scaling=UnitInterval()).splits()


def test_the_first_50000_train_the_last_10000_validate_and_the_test_file_tests(
    splits: Splits, mnist_root: Path
) -> None:
    pixels, labels = files(mnist_root, "train")
    test_pixels, test_labels = files(mnist_root, "t10k")
    for split, x, y in (
        (splits.training, pixels[:50_000], labels[:50_000]),
        (splits.validation, pixels[50_000:], labels[50_000:]),
        (splits.test, test_pixels, test_labels),
    ):
        np.testing.assert_array_equal(split.tensors[1].numpy(), y)
        assert split.tensors[0].shape[1:] == MNIST.input_shape
        np.testing.assert_array_equal((split.tensors[0] * 255).round().to(torch.uint8).numpy(), x)
        np.testing.assert_allclose(split.tensors[0][::97].numpy(), x[::97] / 255, rtol=1e-6)


def test_class_counts_are_the_published_ones(splits: Splits) -> None:
    training = torch.cat([splits.training.tensors[1], splits.validation.tensors[1]])
    assert training.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert splits.test.tensors[1].bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_all_60000_standardised_by_the_published_mean_and_deviation(mnist_root: Path) -> None:
    splits = MNIST(root=mnist_root, validation_size=0, scaling=Standardise()).splits()
    assert [len(split) for split in splits] == [60_000, 0, 10_000]
    low, high = splits.test.tensors[0].min().item(), splits.test.tensors[0].max().item()
    assert 1 / (high - low) == pytest.approx(0.3081, abs=5e-5)
    assert -low / (high - low) == pytest.approx(0.1307, abs=5e-5)


def test_pixels_are_divided_by_126_by_default(mnist_root: Path) -> None:
    datamodule = MNIST(root=mnist_root, batch_size=100)
    datamodule.prepare_data()
    datamodule.setup()
    assert datamodule.images.scaling == Divide(126.0)
    assert datamodule.state_dict()["pixels"]["scaling"] == {"shift": (0.0,), "scale": (126.0,)}
    x, y = next(iter(datamodule.test_dataloader()))
    pixels, labels = files(mnist_root, "t10k")
    np.testing.assert_allclose(x.numpy(), pixels[:2000] / 126, rtol=1e-6)
    np.testing.assert_array_equal(y.numpy(), labels[:2000])
    assert len(datamodule.train_dataloader()) == 500
    assert len(datamodule.test_dataloader()) == 5


def test_fixed_bits_are_the_same_for_every_seed_and_have_the_pixels_mean(splits: Splits, mnist_root: Path) -> None:
    datamodules = [
        MNIST(root=mnist_root, scaling=UnitInterval(), transform=FixedBinarisation(), seed=seed) for seed in (1, 2)
    ]
    for datamodule in datamodules:
        datamodule.setup()
    one, other = (datamodule.train_dataloader().dataset.tensors for datamodule in datamodules)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], splits.training.tensors[1])
    grey = splits.training.tensors[0]
    assert one[0].eq(0).logical_or_(one[0].eq(1)).all()
    deviation = one[0].double().sum() - grey.double().sum()
    assert abs(deviation) < 5 * (grey * (1 - grey)).double().sum().sqrt()


def test_dequantised_pixels_keep_their_256_levels(splits: Splits, mnist_root: Path) -> None:
    datamodule = MNIST(root=mnist_root, scaling=UnitInterval(), transform=Dequantisation(), seed=1)
    datamodule.setup()
    assert datamodule.levels == 256
    training = datamodule.train_dataloader()
    assert torch.equal(training.dataset.tensors[0], splits.training.tensors[0])
    x, _ = next(iter(training))
    grey = training.dataset.tensors[0][training.sampler.order()[:128]]
    for inputs, expected in ((x, grey), (next(iter(datamodule.test_dataloader()))[0], splits.test.tensors[0][:2000])):
        assert inputs.min() > 0
        assert inputs.max() < 1
        assert torch.equal((256 * inputs).floor(), (255 * expected).round())


@pytest.mark.parametrize("transform", [StochasticBinarisation(), FixedBinarisation(), Dequantisation()])
def test_a_transform_does_not_go_with_the_default_scaling(transform: Transform, mnist_root: Path) -> None:
    name = type(transform).__name__
    with pytest.raises(UserError, match=rf"{name}: .* but these lie in \[0, 2.024\]; set scaling to UnitInterval"):
        MNIST(root=mnist_root, transform=transform).setup()


@pytest.mark.parametrize(
    ("datamodule", "dataset"),
    [(MNIST, datasets.MNIST), (FashionMNIST, datasets.FashionMNIST), (KMNIST, datasets.KMNIST)],
)
def test_each_has_torchvisions_class_and_folder_and_refuses_other_files(
    datamodule: type[MNIST] | type[FashionMNIST] | type[KMNIST],
    dataset: type[datasets.MNIST],
    tmp_path: Path,
) -> None:
    made = datamodule(root=tmp_path, seed=1)
    assert made.images.dataset is dataset
    assert (made.input_shape, made.target_size) == ((1, 28, 28), 10)
    raw = tmp_path / dataset.__name__ / "raw"
    raw.mkdir(parents=True)
    for prefix in SIZES:
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 5]))
    made.prepare_data()
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is not an IDX file of 60000 x 28 x 28 bytes"):
        made.setup()


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"MNIST: validation_size \(=60000\) must lie in \[0, 59999\]"):
        MNIST(validation_size=60_000)
    with pytest.raises(UserError, match=r"FashionMNIST: batch_size \(=0\) must be at least 1"):
        FashionMNIST(batch_size=0)
    with pytest.raises(UserError, match=r"KMNIST: seed \(=-1\) must not be negative"):
        KMNIST(seed=-1)
