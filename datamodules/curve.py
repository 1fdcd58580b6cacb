r"""The noisy curve of Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.2.

.. math:: y = x + 0.3 \sin(2 \pi (x + \epsilon)) + 0.3 \sin(4 \pi (x + \epsilon)) + \epsilon,
          \quad \epsilon \sim N(0, 0.02), \quad x \in [0, 0.5]

The paper does not say whether 0.02 is the variance or the standard deviation. It is taken as the standard
deviation, as public replications do: with a variance of 0.02 (a standard deviation of 0.14) the phase of the
second sine would vary by 1.8 radians, and no curve like that of the paper's figure 5 would be left to see.
"""

import math

import numpy as np
import torch
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.errors import require_at_least

NOISE = 0.02
DOMAIN = (0.0, 0.5)
TEST_SIZE = 1000


class Curve(InMemoryDataModule):
    """Regression of a noisy curve; x is uniform on [0, 0.5] in every split, each from a random stream of its own.

    Args:
        size: Training examples.
        validation_size: Validation examples; 0 for no validation.
        data_seed: Chooses the data, where `seed` chooses their order.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.

    References:
        Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.2.

    Raises:
        UserError: If a size or `data_seed` is out of its range.
    """

    input_shape = (1,)
    target_size = 1

    def __init__(
        self,
        size: int = 1024,
        validation_size: int = 256,
        data_seed: int = 0,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test)
        require_at_least("Curve", 1, size=size)
        require_at_least("Curve", 0, validation_size=validation_size, data_seed=data_seed)
        self.size, self.validation_size, self.data_seed = size, validation_size, data_seed

    def splits(self) -> Splits:
        """Draw the data."""
        streams = np.random.SeedSequence(self.data_seed).spawn(3)
        training, validation, test = map(np.random.default_rng, streams)
        return Splits(sample(self.size, training), sample(self.validation_size, validation), sample(TEST_SIZE, test))


def sample(size: int, rng: np.random.Generator) -> TensorDataset:
    """Draws of (x, y), each with shape (size, 1), float32."""
    x = rng.uniform(*DOMAIN, size=(size, 1))
    noise = rng.normal(0.0, NOISE, size=(size, 1))
    y = x + 0.3 * np.sin(2 * math.pi * (x + noise)) + 0.3 * np.sin(4 * math.pi * (x + noise)) + noise
    return TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y).float())
