"""A user's own examples, from tables and arrays in files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import Splits
from lightning_vi.datamodules.classes import Label, classes_of, indices
from lightning_vi.datamodules.learned import Learned, digest
from lightning_vi.datamodules.own_data import OwnData, Prepared
from lightning_vi.datamodules.rows import Rows, Wanted, all_of, blocks_of, source_of
from lightning_vi.datamodules.scaling import Scaling, StandardiseEach
from lightning_vi.datamodules.source import Source
from lightning_vi.datamodules.splitting import ArraysSplit, Fractions
from lightning_vi.errors import UserError


class Arrays(OwnData):
    """Examples in a `.csv`, `.parquet` or `.npz` file: columns of numbers, or one array of any shape.

    A checkpoint keeps names and order of the features, the scaling and the classes; columns of a file to predict may
    stand in any order.

    Args:
        path: The file: with a line of column names, or arrays with one row per example.
        target: The column that is predicted.
        task: Whether that is a class, by any words or whole numbers, or a number.
        features: The columns that are inputs; by default all others.
        id: A column that names examples in predictions; by default it is the number of the row, from 0.
        split: What trains, validates and tests: `Fractions`, `ByColumn` or `ByFile`.
        scaling: From features to inputs, fitted on the training split.
        predict: A file that `predict` runs over, without being read into memory; by default the test split.
        delimiter: What stands between two values of a `.csv` file.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.

    Raises:
        UserError: If an argument is out of its range, or names one column twice.
    """

    def __init__(
        self,
        path: str,
        target: str,
        task: Literal["classification", "regression"] = "classification",
        features: Sequence[str] | None = None,
        id: str | None = None,
        split: ArraysSplit = Fractions(validation=0.1, test=0.2, seed=0),
        scaling: Scaling = StandardiseEach(),
        predict: str | None = None,
        delimiter: str = ",",
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        seed: int | None = None,
        watch_test: bool = False,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test, None, predict)
        if len(delimiter) != 1:
            raise UserError(f"Arrays: delimiter (={delimiter!r}) must be one character.")
        given = [*(features or ()), target, *(each for each in (id, split.column) if each is not None)]
        twice = [name for name in given if given.count(name) > 1]
        if twice:
            raise UserError(
                f"Arrays: the column '{twice[0]}' is named twice among features, target, id and split. Name it once."
            )
        if features is not None and not features:
            raise UserError("Arrays: features (=[]) must name a column, or be left out for all.")
        self.path, self.target, self.is_class = path, target, task == "classification"
        self.features, self.id, self.split = None if features is None else tuple(features), id, split
        self.scaling, self.delimiter = scaling, delimiter

    def prepared(self, kept: Learned | None) -> Prepared:
        """See `OwnData.prepared`."""
        source = source_of(Path(self.path).expanduser(), self.delimiter)
        wanted = self._wanted(source, self.features if kept is None else kept.features)

        def read(path: str) -> Rows:
            other = source_of(Path(path).expanduser(), self.delimiter)
            other.require([name for name in wanted.columns if name != wanted.part], "as the training file has")
            return all_of(other, wanted)

        rows = all_of(source, wanted)
        if self.is_class:
            self._classes(rows)  # before numbers are taken for classes with too few examples
        parts = self.split.cut(rows, read, self.is_class)
        if len({part.inputs.shape[1:] for part in parts}) > 1:
            shapes = ", ".join(str(part.inputs.shape[1:]) for part in parts)
            raise UserError(f"Arrays: inputs differ in shape between the splits: {shapes}. Give arrays of one shape.")
        learned = self._learnt(parts[0], wanted.features) if kept is None else kept
        _require_shape(parts[0], learned)
        return Prepared(Splits(*(self._dataset(part, learned) for part in parts)), parts[2].ids, learned)

    def stream(self, predict: str, learned: Learned) -> Iterator[tuple[Tensor, np.ndarray]]:
        """See `OwnData.stream`; where the file has the target, an unknown class is refused."""
        source = source_of(Path(predict).expanduser(), self.delimiter)
        source.require(learned.features, "a feature of the training")
        source.require([self.id] if self.id else [], "id")
        others = {*learned.features, self.target, self.id, self.split.column}
        if unused := [name for name in source.names if name not in others]:
            rank_zero_info(f"{source.file}: columns that are not used: {', '.join(unused)}.")
        checked = self.target if learned.classes is not None and self.target in source.names else None
        for rows in blocks_of(source, Wanted(learned.features, checked, id=self.id)):
            _require_shape(rows, learned)
            if checked and learned.classes is not None:
                self._indices(rows, learned.classes)
            yield learned.scaling(torch.from_numpy(rows.inputs)), rows.ids

    def read_as(self, learned: Learned) -> None:
        """See `OwnData.read_as`; its features, unless others are named."""
        super().read_as(learned)
        self.features = self.features or learned.features or None

    def _wanted(self, source: Source, features: tuple[str, ...] | None) -> Wanted:
        part = self.split.column
        named = {"target": self.target, "id": self.id, "split": part}
        for option, name in named.items():
            source.require([name] if name else [], option)
        if features is None:
            features = tuple(name for name in source.names if name not in named.values())
        if not features:
            raise UserError(f"{source.file} has no column beside '{self.target}' to predict it from.")
        source.require(features, "features")
        return Wanted(features, self.target, self.is_class, self.id, part)

    def _learnt(self, training: Rows, features: tuple[str, ...]) -> Learned:
        raw = torch.from_numpy(training.inputs)
        scaling = self.fitted(self.scaling, raw, raw.max().item())
        shape, targets = tuple(raw.shape[1:]), training.targets
        if not self.is_class:
            return Learned(features, shape, None, targets.shape[1], scaling, digest(training.inputs, targets))
        classes = self._classes(training)
        if len(classes) < 2:
            raise UserError(
                f"{training.file}: column '{self.target}' has the class '{classes[0]}' alone in the training split. "
                "Give two."
            )
        sums = digest(training.inputs, self._indices(training, classes))
        return Learned(features, shape, classes, len(classes), scaling, sums)

    def _classes(self, rows: Rows) -> tuple[Label, ...]:
        try:
            return classes_of(rows.targets)
        except UserError as error:
            raise UserError(f"{rows.file}: column '{self.target}': {error}") from error

    def _dataset(self, rows: Rows, learned: Learned) -> TensorDataset:
        inputs = learned.scaling(torch.from_numpy(rows.inputs))
        if learned.classes is None:
            return TensorDataset(inputs, torch.from_numpy(rows.targets).to(torch.float32))
        return TensorDataset(inputs, torch.from_numpy(self._indices(rows, learned.classes)))

    def _indices(self, rows: Rows, classes: tuple[Label, ...]) -> np.ndarray:
        return indices(rows.targets, classes, rows.numbers, f"{rows.file}: column '{self.target}'")


def _require_shape(rows: Rows, learned: Learned) -> None:
    if rows.inputs.shape[1:] != learned.input_shape:
        raise UserError(
            f"{rows.file}: inputs have the shape {rows.inputs.shape[1:]}, but those of the training had "
            f"{learned.input_shape}."
        )
