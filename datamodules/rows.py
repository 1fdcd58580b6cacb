"""Examples of a file, as they are before anything has been learnt from them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from lightning_vi.datamodules.columns import Column, keys, numbers, words
from lightning_vi.datamodules.npz_file import NpzFile
from lightning_vi.datamodules.source import Source
from lightning_vi.datamodules.table_file import CsvFile, ParquetFile
from lightning_vi.errors import UserError

SUFFIXES = (".csv", ".parquet", ".npz")


@dataclass(frozen=True)
class Wanted:
    """Columns by what they are.

    Attributes:
        features: The inputs, in this order: columns of numbers, or one array of any shape.
        target: What is predicted; None where it does not matter.
        is_class: Whether it is a class.
        id: What names an example; None for the row's number.
        part: What names an example's part of the data; None if nothing does.
    """

    features: tuple[str, ...]
    target: str | None = None
    is_class: bool = True
    id: str | None = None
    part: str | None = None

    @property
    def columns(self) -> list[str]:
        """All of them, once each."""
        others = (self.target, self.id, self.part)
        return list(dict.fromkeys([*self.features, *(name for name in others if name is not None)]))


@dataclass(frozen=True)
class Rows:
    """N examples.

    Attributes:
        file: Where they stand.
        inputs: (N, *input_shape), float64, or float32 if they have several axes.
        targets: (N,) words for classes, else (N, D) float64; (N, 0) if they were not wanted.
        ids: (N,) strings or int64.
        parts: (N,) words, or empty strings.
        numbers: (N,) int64, of the rows in the file, from 0.
    """

    file: str
    inputs: np.ndarray
    targets: np.ndarray
    ids: np.ndarray
    parts: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, index: np.ndarray | slice) -> "Rows":
        """Those that an index of NumPy chooses."""
        return replace(self, **{name: getattr(self, name)[index] for name in ARRAYS})


ARRAYS = tuple(each.name for each in fields(Rows) if each.name != "file")


def joined(blocks: list[Rows]) -> Rows:
    """The rows of some blocks of a file, at least one, behind one another."""
    if len(blocks) == 1:
        return blocks[0]
    return Rows(blocks[0].file, *(np.concatenate([getattr(block, name) for block in blocks]) for name in ARRAYS))


def source_of(path: Path, delimiter: str) -> Source:
    """The columns of a file.

    Raises:
        UserError: If there is no such file, if it is of another kind or cannot be read.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: the name of a file of examples must end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        there = sorted(each.name for each in path.parent.glob("*") if each.suffix.lower() in SUFFIXES)[:8]
        raise UserError(f"{path}: no such file. Beside it: {', '.join(there) or 'none that could be meant'}.")
    if path.suffix.lower() == ".csv":
        return CsvFile(path, delimiter)
    return ParquetFile(path) if path.suffix.lower() == ".parquet" else NpzFile(path)


def blocks_of(source: Source, wanted: Wanted) -> Iterator[Rows]:
    """The examples of a file, some at a time.

    Raises:
        UserError: If a value is missing or is not what it should be.
    """
    for block in source.blocks(wanted.columns):
        inputs = _inputs([block[name] for name in wanted.features])
        count = len(inputs)
        numbered = np.arange(count) + block[wanted.features[0]].first
        yield Rows(
            source.file,
            inputs,
            _targets(block[wanted.target], wanted.is_class) if wanted.target else np.empty((count, 0)),
            keys(block[wanted.id]) if wanted.id else numbered,
            words(block[wanted.part]) if wanted.part else np.full(count, ""),
            numbered,
        )


def all_of(source: Source, wanted: Wanted) -> Rows:
    """All examples of a file.

    Raises:
        UserError: See `blocks_of`; or if there are none.
    """
    blocks = list(blocks_of(source, wanted))
    if sum(map(len, blocks)) == 0:
        raise UserError(f"{source.file} has no rows.")
    return joined(blocks)


def _inputs(columns: list[Column]) -> np.ndarray:
    """(n, F) of columns of numbers, or (n, ...) of a single array."""
    found = [numbers(column) for column in columns]
    if len(found) == 1 and found[0].ndim > 1:
        return found[0]
    for column, values in zip(columns, found, strict=True):
        if values.ndim > 1:
            raise UserError(
                f"{column.file}: '{column.name}' has the rows' shape {values.shape[1:]}, which does not go with other "
                "features. Name it alone: features: [...]."
            )
    return np.stack(found, axis=1)


def _targets(column: Column, is_class: bool) -> np.ndarray:
    if is_class:
        return words(column)
    values = numbers(column)
    if values.ndim > 2:
        raise UserError(f"{column.file}: '{column.name}' has the rows' shape {values.shape[1:]}; targets need (D,).")
    return values.reshape(len(values), -1)
