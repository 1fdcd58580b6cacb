import itertools
import pickle
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch.utils.data import TensorDataset

from lightning_vi.datamodules import Dequantisation, StochasticBinarisation, Transform
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader, InOrder, Position
from lightning_vi.datamodules.transforms import StepTransform
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


def transformed(
    transform: Transform, batch_size: int = 4, rank: int = 0, world_size: int = 1, seed: int = 7
) -> InMemoryLoader:
    """A loader of 23 images of 8 x 8 pixels, of grey levels 0, ..., 16."""
    grey = torch.randint(0, 17, (SIZE, 1, 8, 8), generator=torch.Generator().manual_seed(1)) / 16
    dataset = TensorDataset(grey, torch.arange(SIZE))
    return InMemoryLoader(
        dataset, batch_size, EpochShuffle(SIZE, 7), rank, world_size, StepTransform(transform, 16.0, seed)
    )


def batches_of(batches: InMemoryLoader, epoch: int = 0) -> list[tuple[torch.Tensor, ...]]:
    batches.sampler.set_epoch(epoch)
    return list(batches)


def same(left: list[tuple[torch.Tensor, ...]], right: list[tuple[torch.Tensor, ...]]) -> bool:
    pairs = [zip(one, other, strict=True) for one, other in zip(left, right, strict=True)]
    return all(torch.equal(x, y) for pair in pairs for x, y in pair)


each_transform = pytest.mark.parametrize("transform", [StochasticBinarisation(), Dequantisation()])


@each_transform
def test_transformed_inputs_belong_to_their_targets_and_the_data_set_stays_as_it_is(transform: Transform) -> None:
    batches = transformed(transform)
    grey = batches.dataset.tensors[0].clone()
    total = torch.zeros(SIZE, 1, 8, 8, dtype=torch.float64)
    epochs = 500
    for epoch in range(epochs):
        for x, y in batches_of(batches, epoch):
            total[y] += x
    mean = total / epochs
    p, cell = grey.double(), 1 / 17
    expected, variance = p, p * (1 - p)
    if transform == Dequantisation():  # uniform on the cell of the level
        expected, variance = (16 * p + 0.5) * cell, torch.tensor(cell**2 / 12)
    assert ((mean - expected).abs() <= 5 * (variance / epochs).sqrt()).all()
    assert torch.equal(batches.dataset.tensors[0], grey)


@each_transform
def test_noise_is_fresh_in_every_epoch_and_the_same_for_the_same_seed(transform: Transform) -> None:
    torch.manual_seed(1)
    first = batches_of(transformed(transform), epoch=1)
    torch.manual_seed(2)
    assert same(batches_of(transformed(transform), epoch=1), first)
    one, two = (torch.cat([x for x, _ in batches_of(transformed(transform, seed=s), epoch=1)]) for s in (7, 8))
    assert torch.equal(one, torch.cat([x for x, _ in first]))
    assert not torch.equal(one, two)
    in_order = InMemoryLoader(transformed(transform).dataset, 4, InOrder(SIZE), 0, 1, transformed(transform).transform)
    for (x, y), (other, twin) in zip(batches_of(in_order, 0), batches_of(in_order, 1), strict=True):
        assert torch.equal(y, twin)
        assert not torch.equal(x, other)


@each_transform
@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_ranks_together_see_the_noise_of_one_process_with_their_joint_batch(
    transform: Transform, world_size: int
) -> None:
    ranks = [batches_of(transformed(transform, 4, rank, world_size), epoch=3) for rank in range(world_size)]
    joined = [tuple(map(torch.cat, zip(*parts, strict=True))) for parts in zip(*ranks, strict=True)]
    assert same(joined, batches_of(transformed(transform, 4 * world_size), epoch=3))


@each_transform
def test_a_stopped_epoch_goes_on_with_the_noise_it_would_have_had(transform: Transform) -> None:
    whole = batches_of(transformed(transform), epoch=1)
    for steps in range(1, len(whole) + 1):
        batches = transformed(transform)
        batches.load_state_dict(stopped_after(steps, epoch=1))
        assert same(batches_of(batches, epoch=1), whole[steps:])
        assert same(batches_of(batches, epoch=1), whole)
