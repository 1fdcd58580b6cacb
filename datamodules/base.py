"""What all datamodules share: loaders over tensors in memory, and the seed of their shuffles and noise."""

import math
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader, InOrder, Position
from lightning_vi.datamodules.scaling import Affine
from lightning_vi.datamodules.transforms import StepTransform, Transform, transform_once
from lightning_vi.errors import UserError, require_at_least


class Splits(NamedTuple):
    """Three data sets in host memory; each holds inputs (N, *input_shape) and targets (N,) or (N, D)."""

    training: TensorDataset
    validation: TensorDataset
    test: TensorDataset


class InMemoryDataModule(LightningDataModule, ABC):
    """A datamodule whose data are tensors, kept on the training device where they fit.

    Batches are `(x, y)`: inputs x with shape (B, *input_shape), float32; targets y with shape (B,), int64, for
    a classification, or (B, D), float32, for a regression. Under several processes each sees its own part of
    them (`lightning_vi.datamodules.in_memory`). `predict` runs over the test split.

    Attributes:
        input_shape: Shape of one input.
        target_size: Number of classes, or dimension D of a regression target.
        maximum: The largest value that a raw pixel can take. Only a datamodule with a `transform` needs it.
        orders: Number E of orders in which an epoch visits the training examples; with several, a training batch has
            B examples of each, x (E, B, *input_shape). For a module that trains E networks.
        levels: Number L of grey levels behind dequantised inputs, or None if they are not dequantised. Their log
            density in nats, summed over D pixels, becomes bits per dimension by -1 / (D log 2), plus log2 L.
        scale: The map from raw pixels to inputs, of images once they are read; otherwise None.

    Args:
        batch_size: Training examples per step on each device.
        eval_batch_size: Largest number of examples per validation, test or prediction step on each device.
        seed: Owner of the shuffles: the order of an epoch depends on (seed, epoch) alone, and the noise of a
            transform on (seed, epoch, step). By default it is `torch.initial_seed()`, what `seed_everything` was
            given. A resumed run keeps the seed of its checkpoint.
        watch_test: Also score the test split at every validation of a training, to draw its curve over epochs.
            Nothing may be chosen by that curve.
        transform: What is done to the inputs after their scaling: `StochasticBinarisation`, `FixedBinarisation`,
            `Dequantisation`, or nothing. A transform that is drawn anew at every training step leaves the data set
            of the training loader as it is; all else is transformed once, in `setup`.

    Raises:
        UserError: If an argument is out of its range.
    """

    input_shape: tuple[int, ...]
    target_size: int
    maximum: float
    levels: int | None

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int,
        seed: int | None,
        watch_test: bool = False,
        transform: Transform | None = None,
    ) -> None:
        super().__init__()
        require_at_least(type(self).__name__, 1, batch_size=batch_size, eval_batch_size=eval_batch_size)
        if seed is not None and seed < 0:
            raise UserError(f"{type(self).__name__}: seed (={seed}) must not be negative.")
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self.watch_test, self.transform = watch_test, transform
        self.orders = 1
        self.levels = None if transform is None else transform.levels(self.maximum)
        self.scale: Affine | None = None
        self._splits: Splits | None = None
        self._training_loader: InMemoryLoader | None = None
        self._position: Position | None = None

    @abstractmethod
    def splits(self) -> Splits:
        """Read or make the data, not yet transformed; called once in every process."""

    def setup(self, stage: str | None = None) -> None:
        """Read the data, whatever the stage: a wrong test file should stop a run before its training, not after.

        Raises:
            UserError: If the data are missing or wrong, too few for the batch size, or scaled in a way that does not
                go with the transform.
        """
        if self._splits is None:
            self._splits = self._transformed(self.splits())
        self._check(self._splits, stage)
        # Lightning restores a checkpoint after this; without one, a run must not go on from that of an earlier run.
        self._position = None
        if self.seed is None:
            self.seed = torch.initial_seed()
            if self.trainer is not None:
                self.seed = self.trainer.strategy.broadcast(self.seed)
        if stage != "validate" and self.trainer is not None and len(self._splits.validation) == 0:
            # Lightning warns about an empty list of loaders, and about a validation_step that has no loader.
            self.trainer.limit_val_batches = 0
            if stage == "fit" and self.watch_test:
                rank_zero_info(
                    "Without a validation split the test split is not watched: watch_test goes with validation."
                )

    def train_dataloader(self) -> InMemoryLoader:
        """Shuffled, except under `overfit_batches`, where Lightning wants the same batches in every epoch."""
        training = self._read().training
        assert self.seed is not None
        sampler: EpochShuffle | InOrder = EpochShuffle(len(training), self.seed, self.orders)
        # Lightning sets this attribute without declaring it.
        if self.trainer is not None and self.trainer.overfit_batches > 0:  # type: ignore[attr-defined]
            sampler = InOrder(len(training))
        transform = None
        if self.transform is not None and self.transform.fresh:
            if self.orders > 1:
                raise UserError(
                    f"{type(self).__name__}: transform (={self.transform}) is drawn anew at every step, which does not "
                    "go with training examples in several orders; choose a transform that is drawn once, or one order."
                )
            transform = StepTransform(self.transform, self.maximum, self.seed)
        self._training_loader = self._loader(training, self.batch_size, sampler, transform)
        if self._position is not None:
            self._training_loader.load_state_dict(self._position)
            self._position = None
        return self._training_loader

    def val_dataloader(self) -> list[InMemoryLoader]:
        """In order: the validation split, and in a training with `watch_test` the test split behind it."""
        validation = self._read().validation
        if len(validation) == 0:
            return []
        fitting = self.trainer is None or self.trainer.state.fn == "fit"
        watched = [self.test_dataloader()] if self.watch_test and fitting else []
        return [self._evaluation_loader(validation), *watched]

    def test_dataloader(self) -> InMemoryLoader:
        """In order."""
        return self._evaluation_loader(self._read().test)

    def predict_dataloader(self) -> InMemoryLoader:
        """The test split, in order."""
        return self._evaluation_loader(self._read().test)

    def state_dict(self) -> dict[str, Any]:
        """The seed of shuffles and noise, the position inside the epoch, and how the inputs were made."""
        # Lightning saves the loader's position too, but restores it only if nothing (such as a scheduler that asks
        # for `estimated_stepping_batches`) has made it build the loader before; the datamodule's it always restores.
        position = None if self._training_loader is None else self._training_loader.state_dict()
        return {"seed": self.seed, "position": position, "pixels": self._pixels()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the shuffles and the noise of the checkpoint, from its place."""
        self.seed, self._position = state_dict["seed"], state_dict["position"]

    def _pixels(self) -> dict[str, Any] | None:
        """What new images are to become as these have; None of other data."""
        if self.scale is None:
            return None
        return {
            "maximum": self.maximum,
            "scaling": asdict(self.scale),
            "transform": None if self.transform is None else type(self.transform).__name__,
        }

    def _transformed(self, splits: Splits) -> Splits:
        if self.transform is None:
            return splits
        transformed = []
        for number, split in enumerate(splits):
            inputs, *targets = split.tensors
            self.transform.check(inputs, self.maximum)
            if number > 0 or not self.transform.fresh:
                inputs = transform_once(self.transform, inputs, self.maximum, number)
            transformed.append(TensorDataset(inputs, *targets))
        return Splits(*transformed)

    def _check(self, splits: Splits, stage: str | None) -> None:
        size = len(splits.training)
        if self.batch_size > size:
            raise UserError(
                f"{type(self).__name__}: batch_size (={self.batch_size}) must not exceed "
                f"the number of training examples (={size})."
            )
        if stage == "validate" and len(splits.validation) == 0:
            raise UserError(
                f"{type(self).__name__}: validation_size (=0) leaves nothing to validate on; make it positive."
            )

    def _read(self) -> Splits:
        if self._splits is None:
            raise UserError(f"{type(self).__name__}: call prepare_data() and setup() before taking a loader.")
        return self._splits

    def _evaluation_loader(self, dataset: TensorDataset) -> InMemoryLoader:
        size, world_size = len(dataset), 1 if self.trainer is None else self.trainer.world_size
        steps = math.ceil(size / (self.eval_batch_size * world_size))
        # Steps of nearly the same size: a small remainder would leave some ranks an empty last batch.
        batch_size = math.ceil(size / (steps * world_size))
        return self._loader(dataset, batch_size, InOrder(size))

    def _loader(
        self,
        dataset: TensorDataset,
        batch_size: int,
        sampler: EpochShuffle | InOrder,
        transform: StepTransform | None = None,
    ) -> InMemoryLoader:
        if self.trainer is None:
            return InMemoryLoader(dataset, batch_size, sampler, transform=transform)
        placed = place(dataset, self.trainer.strategy.root_device)
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return InMemoryLoader(placed, batch_size, sampler, rank, world_size, transform)


def place(dataset: TensorDataset, device: torch.device) -> TensorDataset:
    """The data set on `device`, or in host memory where it would fill more than half of what is free there."""
    size = sum(tensor.nbytes for tensor in dataset.tensors)
    if device.type == "cuda" and 2 * size > (free := torch.cuda.mem_get_info(device)[0]):
        rank_zero_info(f"Data of {size / 2**30:.1f} GiB stay in host memory: {device} has {free / 2**30:.1f} GiB free.")
        return dataset
    return TensorDataset(*(tensor.to(device) for tensor in dataset.tensors))
