"""Who owns the randomness of weights: a stream named by three integers, kept in the checkpoint."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lightning_vi.functional.compiled import compiled
from lightning_vi.functional.philox import standard_normal

EVALUATION_STREAM = 0x80000000  # far from any rank, and the same on all of them


@dataclass
class NoiseStream:
    """Draws of standard normal noise, numbered from 0.

    Args:
        seed: Chosen once per model, in [0, 2^32).
        stream: Tells devices apart that share the seed: the rank of the process, or ``EVALUATION_STREAM``.
        position: Number of the next draw.
    """

    seed: int
    stream: int = 0
    position: int = 0

    def normal(self, size: int, device: torch.device, dtype: torch.dtype = torch.float32, fast: bool = False) -> Tensor:
        """The next ``size`` numbers from N(0, 1), shape (size,); moves the position on by one."""
        state = torch.tensor((self.seed, self.stream, self.position), dtype=torch.int64)
        # Not waited for: the host would stand still at every draw until the device has caught up.
        state = state.to(device, non_blocking=True)
        self.position += 1
        return (compiled(standard_normal) if fast else standard_normal)(size, state, dtype)

    def evaluation(self, position: int = 0) -> "NoiseStream":
        """The stream that validation, test and prediction draw from: the same on every device and in every epoch."""
        return replace(self, stream=EVALUATION_STREAM, position=position)
