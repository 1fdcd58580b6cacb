"""How much is done: all of it on a GPU, little in a rehearsal without one, next to nothing in a quick one."""

import time
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Plan:
    """What a part may take.

    Args:
        device: Where it runs.
        quick: Whether a test only wants to see that all lines run; nothing is compiled then.
        seconds: Of the part, by the script's limit.
    """

    device: torch.device
    quick: bool
    seconds: float
    start: float = field(default_factory=time.monotonic)

    @property
    def cuda(self) -> bool:
        """Whether it is a CUDA device."""
        return self.device.type == "cuda"

    @property
    def left(self) -> float:
        """Seconds left to the part."""
        return self.seconds - (time.monotonic() - self.start)

    @property
    def units(self) -> tuple[int, ...]:
        """Numbers of units of a hidden layer, the one of the goal first."""
        if self.quick:
            return (24,)
        return (1200, 400) if self.cuda else (100,)

    @property
    def examples(self) -> int:
        """Size of the training set."""
        return 50_000 if self.cuda and not self.quick else 1_000

    @property
    def repeats(self) -> int:
        """Steps that are timed in each of two rounds."""
        if self.quick:
            return 2
        return 200 if self.cuda else 3

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.cuda:
            torch.cuda.synchronize(self.device)
