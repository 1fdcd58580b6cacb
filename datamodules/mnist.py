"""MNIST and its two drop-in replacements: 28 x 28 grey images in ten classes, 60,000 + 10,000 of them."""

import os
from abc import ABC

from torchvision import datasets

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.datamodules.images import MAXIMUM, IdxImages
from lightning_vi.datamodules.scaling import Divide, Scaling
from lightning_vi.datamodules.transforms import Transform


class MNISTLike(InMemoryDataModule, ABC):
    """By default the first 50,000 examples train, the next 10,000 validate, and 10,000 test.

    Args:
        root: Folder above `MNIST/raw`; by default the environment variable `LIGHTNING_VI_DATA`, else `data`.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        validation_size: Examples at the end of the training file that validate; 0 trains on all 60,000, without
            validation.
        scaling: From pixels in 0, ..., 255 to inputs.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.
        transform: See `InMemoryDataModule`; it goes with the scaling `UnitInterval`, which is not the default.

    References:
        Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.1: the division by 126.
    """

    input_shape = (1, 28, 28)
    target_size = 10
    maximum = MAXIMUM
    dataset: type[datasets.MNIST]

    # The command line can print and save a default object only if it stands in the signature with keyword arguments.
    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        validation_size: int = 10_000,
        scaling: Scaling = Divide(divisor=126.0),
        seed: int | None = None,
        watch_test: bool = False,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test, transform)
        self.images = IdxImages(self.dataset, root, validation_size, scaling)

    def prepare_data(self) -> None:
        """See `IdxImages.download`."""
        self.images.download()

    def splits(self) -> Splits:
        """See `IdxImages.splits`."""
        splits = self.images.splits()
        self.scale = self.images.scale
        return splits


class MNIST(MNISTLike):
    """Handwritten digits. Arguments as those of `MNISTLike`.

    References:
        LeCun et al. 1998, Gradient-based learning applied to document recognition.
    """

    dataset = datasets.MNIST


class FashionMNIST(MNISTLike):
    """Articles of clothing. Arguments as those of `MNISTLike`.

    References:
        Xiao et al. 2017, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms.
    """

    dataset = datasets.FashionMNIST


class KMNIST(MNISTLike):
    """Cursive Japanese characters. Arguments as those of `MNISTLike`.

    References:
        Clanuwat et al. 2018, Deep Learning for Classical Japanese Literature.
    """

    dataset = datasets.KMNIST
