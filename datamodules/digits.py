"""Real handwritten digits that need neither download nor disk."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.datamodules.scaling import Scaling, UnitInterval
from lightning_vi.datamodules.transforms import Transform
from lightning_vi.errors import UserError

CLASSES = 10
SIZE = 1797
TEST_SIZE = 360
MAXIMUM = 16.0
SPLIT_SEED = 0


class Digits(InMemoryDataModule):
    """The 1,797 digits of 8 x 8 pixels that come with scikit-learn.

    By default 1,257 train, 180 validate and 360 test. The split is stratified by class and always the same; the
    test split does not depend on `validation_size`.

    Args:
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        validation_size: Examples that validate; 0 trains on all but the test split, without validation.
        scaling: From pixels in 0, ..., 16 to inputs.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.
        transform: See `InMemoryDataModule`; it goes with the scaling `UnitInterval`, the default.

    References:
        Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.

    Raises:
        UserError: If the validation split would leave a class out of one of the splits.
    """

    input_shape = (1, 8, 8)
    target_size = CLASSES
    maximum = MAXIMUM

    def __init__(
        self,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        validation_size: int = 180,
        scaling: Scaling = UnitInterval(),
        seed: int | None = None,
        watch_test: bool = False,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test, transform)
        largest = SIZE - TEST_SIZE - CLASSES
        if validation_size != 0 and not CLASSES <= validation_size <= largest:
            raise UserError(f"Digits: validation_size (={validation_size}) must be 0 or lie in [{CLASSES}, {largest}].")
        self.validation_size, self.scaling = validation_size, scaling

    def splits(self) -> Splits:
        """Split and scale."""
        # Imported here: scikit-learn takes longer to import than the command line to print its help.
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        pixels = torch.from_numpy(digits.images).unsqueeze(1).to(torch.float32)
        labels = torch.from_numpy(digits.target).to(torch.int64)

        def stratified(indices: Tensor, size: int) -> tuple[Tensor, Tensor]:
            if size == 0:
                return indices, indices[:0]
            kept, held_out = train_test_split(
                indices.numpy(), test_size=size, stratify=labels[indices].numpy(), random_state=SPLIT_SEED
            )
            return torch.from_numpy(np.sort(kept)), torch.from_numpy(np.sort(held_out))

        rest, test = stratified(torch.arange(SIZE), TEST_SIZE)
        training, validation = stratified(rest, self.validation_size)
        self.scale = scale = self.scaling.fit(pixels[training], MAXIMUM)
        return Splits(*(TensorDataset(scale(pixels[i]), labels[i]) for i in (training, validation, test)))
