r"""Batches cut by index from tensors that stay in memory.

Epoch :math:`e` visits the :math:`N` examples in one order :math:`\pi_e`, a permutation that depends on
(seed, epoch) alone. With :math:`R` processes (ranks) of batch size :math:`B`, step :math:`t` takes the block

.. math:: \pi_e[t R B], \dots, \pi_e[\min((t + 1) R B, N) - 1]

and rank :math:`r` its :math:`r`-th part, cut as evenly as possible. An epoch hence visits every example exactly
once for any :math:`R`, and a step sees the same examples as the step of one process with batch size :math:`R B`.
Noise that a transform adds to a step's inputs is that of the whole block too (`StepTransform`).
"""

import math
from collections.abc import Iterator
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import SequentialSampler, TensorDataset

from lightning_vi.datamodules.transforms import StepTransform
from lightning_vi.errors import UserError


class EpochShuffle:
    """A fresh permutation of 0, ..., size - 1 for every epoch, or several.

    Args:
        size: Number of examples.
        seed: Not negative; the same on every rank.
        orders: Number E of permutations, those of the seeds from `seed` on.
    """

    def __init__(self, size: int, seed: int, orders: int = 1) -> None:
        self.size, self.seed, self.orders, self.epoch = size, seed, orders, 0

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; Lightning calls this before every epoch."""
        self.epoch = epoch

    def order(self) -> Tensor:
        """The indices of this epoch, with shape (N,); or (E, N) if there are several orders."""
        # A spawn key, not seed + epoch: neighbouring seeds must not share their permutations.
        streams = [np.random.SeedSequence(self.seed + e, spawn_key=(self.epoch,)) for e in range(self.orders)]
        orders = [torch.from_numpy(np.random.default_rng(stream).permutation(self.size)) for stream in streams]
        return orders[0] if self.orders == 1 else torch.stack(orders)


class InOrder(SequentialSampler):
    """The examples as they lie. Lightning knows by the base class that nothing is shuffled."""

    def __init__(self, size: int) -> None:
        super().__init__(range(size))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """See `EpochShuffle.set_epoch`; here every epoch has the same order."""
        self.epoch = epoch

    def order(self) -> Tensor:
        """See `EpochShuffle.order`."""
        return torch.arange(len(self))


class Position(TypedDict):
    """How far a loader has come in its epoch, and what another loader must share with it to go on from there."""

    epoch: int
    step: int
    size: int
    global_batch: int


class InMemoryLoader:
    """Iterates over one rank's batches of a data set in memory, as fresh tensors on the data set's device.

    `len(loader)` is the number of steps of an epoch, the same on every rank. A ragged last block of fewer than
    `world_size` examples leaves some ranks an empty batch. The position inside the epoch can be saved, so that a
    resumed epoch goes on with the examples that it has not seen.

    Args:
        dataset: Tensors with N rows each, e.g. inputs (N, *input_shape) and targets (N,).
        batch_size: Examples per step on each rank.
        sampler: The order of the examples. If it gives E orders, tensors of batches are (E, B, ...).
        rank: This process among `world_size`.
        world_size: Number of processes that share the data.
        transform: Applied to the inputs of each batch, the first tensor of the data set. The data set itself stays
            as it is.
    """

    # Lightning reads this attribute wherever it finds a `sampler`.
    batch_sampler = None

    def __init__(
        self,
        dataset: TensorDataset,
        batch_size: int,
        sampler: EpochShuffle | InOrder,
        rank: int = 0,
        world_size: int = 1,
        transform: StepTransform | None = None,
    ) -> None:
        assert len(sampler) == len(dataset)
        assert 0 <= rank < world_size
        self.dataset, self.batch_size, self.sampler = dataset, batch_size, sampler
        self.rank, self.world_size, self.transform = rank, world_size, transform
        self._position = self._at(epoch=0, step=0)
        self._resume = False

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / (self.batch_size * self.world_size))

    def part(self, step: int) -> slice:
        """Where in the epoch's order the batch of `step` lies."""
        start, count = self._block(step)
        first, last = (start + count * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return slice(first, last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        # A generator: Lightning asks for the iterator before it sets the epoch, and for some that it never uses,
        # so nothing may be read before the first batch is.
        epoch = self.sampler.epoch
        first = self._first_step(epoch)
        order = self.sampler.order().to(self.dataset.tensors[0].device)
        for step in range(first, len(self)):
            indices = order[..., self.part(step)]
            self._position = self._at(epoch, step + 1)
            rows = (tensor.index_select(0, indices.flatten()) for tensor in self.dataset.tensors)
            inputs, *targets = (tensor.unflatten(0, indices.shape) for tensor in rows)
            yield self._transformed(inputs, epoch, step), *targets

    def state_dict(self) -> Position:
        """The position after the last batch handed out."""
        return self._position

    def load_state_dict(self, state: Position) -> None:
        """Go on from `state` if its epoch is the next to be iterated over.

        That iteration raises a `UserError` if the epoch had begun with another global batch or another number of
        examples.
        """
        self._position, self._resume = state, True

    def _block(self, step: int) -> tuple[int, int]:
        """Where the block of all ranks begins in the epoch's order, and its number of examples."""
        size = self.batch_size * self.world_size
        return step * size, min(size, len(self.dataset) - step * size)

    def _transformed(self, inputs: Tensor, epoch: int, step: int) -> Tensor:
        if self.transform is None:
            return inputs
        (start, count), part = self._block(step), self.part(step)
        return self.transform(inputs, epoch, step, count, slice(part.start - start, part.stop - start))

    def _at(self, epoch: int, step: int) -> Position:
        global_batch = self.batch_size * self.world_size
        return Position(epoch=epoch, step=step, size=len(self.dataset), global_batch=global_batch)

    def _first_step(self, epoch: int) -> int:
        old, resume, self._resume = self._position, self._resume, False
        if not resume or old["epoch"] != epoch:
            return 0
        new = self._at(epoch, old["step"])
        for name, was, is_now in (
            ("batch size times devices", old["global_batch"], new["global_batch"]),
            ("number of training examples", old["size"], new["size"]),
        ):
            if was != is_now:
                raise UserError(
                    f"The checkpoint was saved inside epoch {epoch}, when the {name} was {was}; now it is {is_now}.\n"
                    "Resume with the old value, or from a checkpoint of the end of an epoch."
                )
        return old["step"]
