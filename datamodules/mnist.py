"""MNIST and its two drop-in replacements: 28 x 28 grey images in ten classes, 60,000 + 10,000 of them."""

import os

from torchvision import datasets

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.datamodules.images import IdxImages
from lightning_vi.datamodules.scaling import Divide, Scaling

# The command line can print and save a default object only if it stands in the signature with keyword arguments.


class MNIST(InMemoryDataModule):
    """Handwritten digits: by default the first 50,000 examples train, the next 10,000 validate, 10,000 test.

    Args:
        root: Folder above `MNIST/raw`; by default the environment variable `LIGHTNING_VI_DATA`, else `data`.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        validation_size: Examples at the end of the training file that validate; 0 trains on all 60,000, without
            validation.
        scaling: From pixels in 0, ..., 255 to inputs.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.

    References:
        LeCun et al. 1998, Gradient-based learning applied to document recognition.
        Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.1: the division by 126.
    """

    input_shape = (1, 28, 28)
    target_size = 10

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        validation_size: int = 10_000,
        scaling: Scaling = Divide(divisor=126.0),
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test)
        self.images = IdxImages(datasets.MNIST, root, validation_size, scaling)

    def prepare_data(self) -> None:
        """See `IdxImages.download`."""
        self.images.download()

    def splits(self) -> Splits:
        """See `IdxImages.splits`."""
        return self.images.splits()


class FashionMNIST(InMemoryDataModule):
    """Articles of clothing. Arguments as those of `MNIST`.

    References:
        Xiao et al. 2017, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms.
    """

    input_shape = (1, 28, 28)
    target_size = 10

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        validation_size: int = 10_000,
        scaling: Scaling = Divide(divisor=126.0),
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test)
        self.images = IdxImages(datasets.FashionMNIST, root, validation_size, scaling)

    def prepare_data(self) -> None:
        """See `IdxImages.download`."""
        self.images.download()

    def splits(self) -> Splits:
        """See `IdxImages.splits`."""
        return self.images.splits()


class KMNIST(InMemoryDataModule):
    """Cursive Japanese characters. Arguments as those of `MNIST`.

    References:
        Clanuwat et al. 2018, Deep Learning for Classical Japanese Literature.
    """

    input_shape = (1, 28, 28)
    target_size = 10

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        validation_size: int = 10_000,
        scaling: Scaling = Divide(divisor=126.0),
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test)
        self.images = IdxImages(datasets.KMNIST, root, validation_size, scaling)

    def prepare_data(self) -> None:
        """See `IdxImages.download`."""
        self.images.download()

    def splits(self) -> Splits:
        """See `IdxImages.splits`."""
        return self.images.splits()
