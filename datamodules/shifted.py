"""Data sets whose test inputs are not as those trained on."""

import math
from abc import ABC, abstractmethod

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.datamodules.transforms import CONSTANT_SEED
from lightning_vi.errors import UserError


class Shifted(InMemoryDataModule, ABC):
    """Another datamodule with its test inputs changed after their scaling; training and validation stay as they are.

    Its other settings are those of the datamodule that it is made of.

    Args:
        data: That datamodule.
    """

    def __init__(self, data: InMemoryDataModule) -> None:
        self.input_shape, self.target_size = data.input_shape, data.target_size
        if data.transform is not None:
            self.maximum = data.maximum
        super().__init__(data.batch_size, data.eval_batch_size, data.seed, data.watch_test, data.transform)
        self.data = data

    @abstractmethod
    def shift(self, inputs: Tensor) -> Tensor:
        """Changed inputs, a new tensor; both (N, *input_shape)."""

    def prepare_data(self) -> None:
        """See `LightningDataModule.prepare_data`."""
        self.data.prepare_data()

    def splits(self) -> Splits:
        """See `InMemoryDataModule.splits`."""
        training, validation, test = self.data.splits()
        inputs, *targets = test.tensors
        return Splits(training, validation, TensorDataset(self.shift(inputs), *targets))


class Rotated(Shifted):
    """Test images turned about their centre, with bilinear interpolation; corners that come in have the lowest value.

    Args:
        data: A datamodule of images.
        angle: In degrees, counter-clockwise.

    References:
        Ovadia et al. (2019), Can You Trust Your Model's Uncertainty? Evaluating Predictive Uncertainty Under Dataset
        Shift, section 4.1 (rotated MNIST).

    Raises:
        UserError: If the data are no images, or the angle is not finite.
    """

    def __init__(self, data: InMemoryDataModule, angle: float = 60.0) -> None:
        super().__init__(data)
        if len(self.input_shape) != 3:
            raise UserError(
                f"Rotated: data (={type(data).__name__}) must be images; its inputs have the shape {self.input_shape}."
            )
        if not math.isfinite(angle):
            raise UserError(f"Rotated: angle (={angle}) must be a finite number of degrees.")
        self.angle = angle

    def shift(self, inputs: Tensor) -> Tensor:
        """See `Shifted.shift`."""
        # Imported here: it takes longer to import than the command line to print its help.
        from torchvision.transforms.v2.functional import InterpolationMode, rotate

        turned: Tensor = rotate(inputs, self.angle, InterpolationMode.BILINEAR, fill=float(inputs.min()))
        return turned


class Noisy(Shifted):
    """Test inputs with independent Gaussian noise added; the same noise in every run.

    Args:
        data: Any datamodule of this package.
        sigma: Standard deviation of the noise, in units of the scaled inputs.

    Raises:
        UserError: Unless sigma is finite and not negative.
    """

    def __init__(self, data: InMemoryDataModule, sigma: float = 0.5) -> None:
        super().__init__(data)
        if not 0.0 <= sigma < math.inf:
            raise UserError(f"Noisy: sigma (={sigma}) must be finite and not negative.")
        self.sigma = sigma

    def shift(self, inputs: Tensor) -> Tensor:
        """See `Shifted.shift`."""
        generator = torch.Generator().manual_seed(CONSTANT_SEED)
        return inputs + self.sigma * torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype)


def unshifted(data: LightningDataModule) -> LightningDataModule:
    """The datamodule that another one shifts; another is given back as it is."""
    return unshifted(data.data) if isinstance(data, Shifted) else data
