from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.latent_space import NothingToDraw


class Examples(NamedTuple):
    """Some examples of the test data.

    Attributes:
        inputs: (N, *input_shape)
        classes: (N,), int64; None if the targets are no classes.
    """

    inputs: Tensor
    classes: Tensor | None


@runtime_checkable
class DataSet(Protocol):
    """Examples by their number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


@runtime_checkable
class Loader(Protocol):
    """What has a data set, as PyTorch's `DataLoader` and ours."""

    dataset: object


class Parts(Protocol):
    """Three data sets, of inputs first."""

    training: TensorDataset
    validation: TensorDataset
    test: TensorDataset


@runtime_checkable
class WithSplits(Protocol):
    """A datamodule that has its data in memory."""

    def splits(self) -> Parts:
        """The data."""


def splits_of(trainer: Trainer) -> Parts:
    """The data of the trainer's datamodule.

    Raises:
        NothingToDraw: If there is none that has them in memory.
    """
    datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set at run time
    if not isinstance(datamodule, WithSplits):
        raise NothingToDraw("there is no datamodule with its data in memory")
    return datamodule.splits()


def first_examples(trainer: Trainer, count: int) -> Examples:
    """The first examples of the test data: the same for every model, batch size and number of devices.

    Args:
        trainer: In a test.
        count: N, or all if there are fewer.

    Raises:
        NothingToDraw: If the data are no data set of pairs that can be read by their number.
    """
    loaders = trainer.test_dataloaders
    loader = loaders[0] if isinstance(loaders, list | tuple) else loaders
    dataset = loader.dataset if isinstance(loader, Loader) else None
    if not isinstance(dataset, DataSet):
        raise NothingToDraw("the test data cannot be read by their number")
    examples = [dataset[index] for index in range(min(count, len(dataset)))]
    if not all(isinstance(each, list | tuple) and len(each) > 1 for each in examples):
        raise NothingToDraw("the test data are no pairs of inputs and targets")
    targets = torch.stack([torch.as_tensor(each[1]) for each in examples])
    is_class = targets.ndim == 1 and not targets.is_floating_point()
    return Examples(torch.stack([each[0] for each in examples]), targets if is_class else None)
