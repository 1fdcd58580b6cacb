from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lightning_vi.callbacks.examples import Examples, first_examples
from lightning_vi.latent_space import NothingToDraw
from tests.latents import vae

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:Posterior collapse")


class Taker(Callback):
    """Takes the first examples at the end of a test."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken: Examples | None = None

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.taken = first_examples(trainer, self.count)


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """Examples without numbers."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(2):
            yield torch.rand(1, 8, 8), torch.tensor(number)


def take(make_trainer: Callable[..., Trainer], count: int, loader: Any) -> Examples:
    module, _ = vae()
    taker = Taker(count)
    make_trainer(taker).test(module, loader, verbose=False)
    assert taker.taken is not None
    return taker.taken


@pytest.mark.parametrize("count", [7, 1000])
@pytest.mark.parametrize("batch_size", [3, 400])
def test_they_are_the_first_of_the_data_set(make_trainer: Callable[..., Trainer], count: int, batch_size: int) -> None:
    _, data = vae()
    data.setup()
    inputs, labels = data.test_dataloader().dataset.tensors
    data.eval_batch_size = batch_size
    examples = take(make_trainer, count, data)
    assert torch.equal(examples.inputs, inputs[:count])
    assert examples.classes is not None
    assert torch.equal(examples.classes, labels[:count])


@pytest.mark.parametrize("wrap", [lambda loader: loader, lambda loader: [loader]], ids=["loader", "list"])
def test_real_targets_are_no_classes(make_trainer: Callable[..., Trainer], wrap: Callable[[Any], Any]) -> None:
    inputs = torch.rand(5, 1, 8, 8)
    loader = DataLoader(TensorDataset(inputs, torch.rand(5)), batch_size=2)
    examples = take(make_trainer, 4, wrap(loader))
    assert torch.equal(examples.inputs, inputs[:4])
    assert examples.classes is None


def test_numbers_are_classes_too(make_trainer: Callable[..., Trainer]) -> None:
    pairs = [(torch.rand(1, 8, 8), number) for number in (4, 2)]
    examples = take(make_trainer, 4, DataLoader(pairs, batch_size=2))  # type: ignore[arg-type]  # a list is one
    assert examples.classes is not None
    assert examples.classes.tolist() == [4, 2]


def test_streams_are_refused(make_trainer: Callable[..., Trainer]) -> None:
    with pytest.raises(NothingToDraw, match="cannot be read by their number"):
        take(make_trainer, 4, DataLoader(Stream(), batch_size=1))
