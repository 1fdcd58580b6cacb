"""Numbers from a known distribution, on which a generator can be judged exactly."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.errors import UserError, require_at_least

TEST_SIZE = 1000


class GaussianMixture(InMemoryDataModule):
    """Draws from a mixture of Gaussians on the real line; one component is a Gaussian.

    Args:
        means: Of the components.
        sigmas: Their standard deviations.
        shares: Their probabilities.
        size: Training examples.
        validation_size: Validation examples; 0 for no validation.
        data_seed: Chooses the data, where `seed` chooses their order.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.

    References:
        Lecture 13, generative adversarial networks: T(z) ~ F for z from an easy distribution.

    Raises:
        UserError: If the components are no mixture, or a size or `data_seed` is out of its range.
    """

    input_shape = (1,)
    target_size = 1

    def __init__(
        self,
        means: Sequence[float] = (-2.0, 2.0),
        sigmas: Sequence[float] = (0.6, 0.8),
        shares: Sequence[float] = (0.6, 0.4),
        size: int = 51_200,
        validation_size: int = 0,
        data_seed: int = 0,
        batch_size: int = 256,
        eval_batch_size: int = 2000,
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test)
        require_at_least("GaussianMixture", 1, size=size)
        require_at_least("GaussianMixture", 0, validation_size=validation_size, data_seed=data_seed)
        self.means, self.sigmas, self.shares = tuple(means), tuple(sigmas), tuple(shares)
        if not len(self.means) == len(self.sigmas) == len(self.shares) > 0:
            raise UserError(
                f"GaussianMixture: means (={self.means}), sigmas (={self.sigmas}) and shares (={self.shares}) must be "
                "as many, and at least one each."
            )
        if not (all(math.isfinite(mean) for mean in self.means) and all(0 < sigma < math.inf for sigma in self.sigmas)):
            raise UserError(
                f"GaussianMixture: means (={self.means}) must be finite, sigmas (={self.sigmas}) positive and finite."
            )
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise UserError(f"GaussianMixture: shares (={self.shares}) must be probabilities that add up to 1.")
        self.size, self.validation_size, self.data_seed = size, validation_size, data_seed

    def splits(self) -> Splits:
        """Draw the data; each split is from a random stream of its own."""
        streams = map(np.random.default_rng, np.random.SeedSequence(self.data_seed).spawn(3))
        sizes = (self.size, self.validation_size, TEST_SIZE)
        return Splits(*(self._sample(size, rng) for size, rng in zip(sizes, streams, strict=True)))

    def cdf(self, x: Tensor) -> Tensor:
        """F(x), elementwise, in double precision."""
        parts = zip(self.means, self.sigmas, self.shares, strict=True)
        terms = [share * torch.special.ndtr((x.double() - mean) / sigma) for mean, sigma, share in parts]
        return torch.stack(terms).sum(dim=0)

    def quantile(self, u: Tensor) -> Tensor:
        """F^-1(u) for u in (0, 1), elementwise, in double precision, by bisection."""
        reach = 40.0 * max(self.sigmas)
        low = torch.full_like(u, min(self.means) - reach, dtype=torch.float64)
        high = torch.full_like(u, max(self.means) + reach, dtype=torch.float64)
        for _ in range(100):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < u
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return 0.5 * (low + high)

    def _sample(self, size: int, rng: np.random.Generator) -> TensorDataset:
        component = rng.choice(len(self.means), size=size, p=np.array(self.shares) / sum(self.shares))
        x = rng.normal(np.array(self.means)[component], np.array(self.sigmas)[component])
        return TensorDataset(
            torch.from_numpy(x).float().unsqueeze(-1), torch.from_numpy(component).float().unsqueeze(-1)
        )
