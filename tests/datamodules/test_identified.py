from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_vi.datamodules import IdentifiedLoader

SIZE = 103


def blocks() -> Iterator[tuple[Tensor, np.ndarray]]:
    """Rows 0, ..., 102 in blocks of all sizes, the last and another one empty."""
    edges = [0, 1, 1, 40, 42, 100, SIZE, SIZE]
    for start, end in pairwise(edges):
        yield torch.arange(start, end).unsqueeze(1), np.array([f"row {k}" for k in range(start, end)], dtype=object)


@pytest.mark.parametrize("batch_size", [1, 7, 52, 200])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_ranks_together_have_every_example_once(batch_size: int, ranks: int) -> None:
    loaders = [IdentifiedLoader(blocks, batch_size, rank, ranks) for rank in range(ranks)]
    steps = list(zip(*loaders, strict=True))
    position = 0
    for step in steps:
        for batch in step:
            count = len(batch.ids)
            assert count <= batch_size
            assert batch.first == position
            assert batch.inputs[:, 0].tolist() == list(range(position, position + count))
            assert batch.ids.tolist() == [f"row {k}" for k in range(position, position + count)]
            position += count
    assert position == SIZE
    assert len(list(loaders[0])) == len(steps) == -(-SIZE // (batch_size * ranks))
