"""Batches of examples to predict, read as they are needed: neither the data nor the predictions need fit in memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Identified(NamedTuple):
    """Some examples, in the order of their source.

    Attributes:
        inputs: (B, *input_shape), float32.
        ids: What the user calls them, (B,) strings or int64.
        first: Position of the first in the source.
    """

    inputs: Tensor
    ids: np.ndarray
    first: int


class IdentifiedLoader:
    """Iterates over one rank's batches of a source.

    The source is cut into blocks of `world_size` batches, and each block as evenly as possible into the ranks' parts:
    all ranks have as many steps. Every rank reads the source, and keeps its part. There is no length, since nobody
    knows the number of rows of a file before its end.

    Args:
        blocks: Begins to read the source: examples in order, any number at a time.
        batch_size: Examples per step on each rank.
        rank: This process among `world_size`.
        world_size: Number of processes that share the examples.
    """

    def __init__(
        self,
        blocks: Callable[[], Iterable[tuple[Tensor, np.ndarray]]],
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        assert 0 <= rank < world_size
        self.blocks, self.batch_size, self.rank, self.world_size = blocks, batch_size, rank, world_size

    def __iter__(self) -> Iterator[Identified]:
        first = 0
        for inputs, ids in self._cut(self.batch_size * self.world_size):
            count = len(ids)
            start, end = (count * rank // self.world_size for rank in (self.rank, self.rank + 1))
            yield Identified(inputs[start:end], ids[start:end], first + start)
            first += count

    def _cut(self, size: int) -> Iterator[tuple[Tensor, np.ndarray]]:
        """The source in blocks of `size`, the last of which may be smaller."""
        waiting: list[tuple[Tensor, np.ndarray]] = []
        count = 0
        for block in self.blocks():
            waiting.append(block)
            count += len(block[1])
            if count < size:
                continue
            inputs, ids = _joined(waiting)
            whole = count - count % size
            for start in range(0, whole, size):
                yield inputs[start : start + size], ids[start : start + size]
            waiting, count = [(inputs[whole:], ids[whole:])], count - whole
        if count > 0:
            yield _joined(waiting)


def _joined(blocks: list[tuple[Tensor, np.ndarray]]) -> tuple[Tensor, np.ndarray]:
    inputs, ids = zip(*blocks, strict=True)
    return torch.cat(inputs), np.concatenate(ids)
