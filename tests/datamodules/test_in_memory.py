import itertools
import pickle
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader, InOrder, Position
from lightning_vi.errors import UserError

SIZE = 23


def numbered(size: int = SIZE) -> TensorDataset:
    return TensorDataset(torch.arange(size).float()[:, None], torch.arange(size))


def loader(batch_size: int = 4, rank: int = 0, world_size: int = 1, size: int = SIZE) -> InMemoryLoader:
    return InMemoryLoader(numbered(size), batch_size, EpochShuffle(size, seed=7), rank, world_size)


def indices(batches: InMemoryLoader, epoch: int = 0) -> list[list[int]]:
    batches.sampler.set_epoch(epoch)
    return [labels.tolist() for _, labels in batches]


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    orders = {}
    for seed, epoch in itertools.product(range(4), range(4)):
        torch.manual_seed(seed + 10 * epoch)
        shuffle = EpochShuffle(SIZE, seed)
        shuffle.set_epoch(epoch)
        orders[seed, epoch] = tuple(shuffle.order().tolist())
        assert orders[seed, epoch] == tuple(shuffle.order().tolist())
        assert sorted(orders[seed, epoch]) == list(range(SIZE))
    assert len(set(orders.values())) == 16  # seed + epoch would give 7


def test_all_permutations_are_equally_likely() -> None:
    shuffle = EpochShuffle(4, seed=0)
    counts: Counter[tuple[int, ...]] = Counter()
    for epoch in range(2400):
        shuffle.set_epoch(epoch)
        counts[tuple(shuffle.order().tolist())] += 1
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_an_epoch_visits_each_example_once_and_equals_one_process_with_the_same_global_batch(
    world_size: int,
) -> None:
    ranks = [indices(loader(4, rank, world_size), epoch=3) for rank in range(world_size)]
    whole = indices(loader(4 * world_size), epoch=3)
    assert [len(rank) for rank in ranks] == [len(whole)] * world_size
    assert [list(itertools.chain(*parts)) for parts in zip(*ranks, strict=True)] == whole
    assert sorted(itertools.chain(*whole)) == list(range(SIZE))
    sizes = [[len(part) for part in parts] for parts in zip(*ranks, strict=True)]
    assert all(size == [4] * world_size for size in sizes[:-1])
    assert max(sizes[-1]) - min(sizes[-1]) <= 1


def test_fewer_examples_than_ranks_give_empty_batches_of_the_right_shape() -> None:
    parts = [list(loader(1, rank, 3, size=4))[-1] for rank in range(3)]
    assert sorted(len(x) for x, _ in parts) == [0, 0, 1]
    assert all(x.shape[1:] == (1,) and y.dtype == torch.int64 for x, y in parts)


def test_inputs_and_targets_stay_together_and_batches_are_copies() -> None:
    batches = loader()
    for x, y in batches:
        assert torch.equal(x.flatten().long(), y)
        x.zero_()
        y.zero_()
    assert torch.equal(batches.dataset.tensors[1], torch.arange(SIZE))


def test_in_order() -> None:
    batches = InMemoryLoader(numbered(), 10, InOrder(SIZE))
    assert indices(batches) == indices(batches, epoch=5)
    assert list(itertools.chain(*indices(batches))) == list(range(SIZE))


def test_an_iterator_made_before_the_epoch_is_set_follows_it() -> None:
    batches = loader()
    iterator = iter(batches)
    iter(batches)
    batches.sampler.set_epoch(2)
    assert [labels.tolist() for _, labels in iterator] == indices(loader(), epoch=2)


def stopped_after(steps: int, epoch: int) -> Position:
    batches = loader()
    batches.sampler.set_epoch(epoch)
    list(itertools.islice(batches, steps))
    state: Position = pickle.loads(pickle.dumps(batches.state_dict()))
    return state


def test_a_stopped_epoch_goes_on_where_it_was_and_the_next_one_starts_afresh() -> None:
    for steps in range(1, len(loader()) + 1):
        batches = loader()
        batches.load_state_dict(stopped_after(steps, epoch=1))
        assert batches.state_dict() == stopped_after(steps, epoch=1)
        assert indices(batches, epoch=1) == indices(loader(), epoch=1)[steps:]
        assert indices(batches, epoch=1) == indices(loader(), epoch=1)
        batches.load_state_dict(stopped_after(steps, epoch=1))
        assert indices(batches, epoch=2) == indices(loader(), epoch=2)


def test_a_stopped_epoch_cannot_go_on_with_other_batches() -> None:
    with pytest.raises(UserError, match=r"inside epoch 1, when the batch size times devices was 4; now it is 8"):
        resumed(loader(4, rank=1, world_size=2))
    with pytest.raises(UserError, match=r"number of training examples was 23; now it is 20"):
        resumed(loader(4, size=20))


def resumed(batches: InMemoryLoader) -> list[list[int]]:
    batches.load_state_dict(stopped_after(2, epoch=1))
    return indices(batches, epoch=1)
