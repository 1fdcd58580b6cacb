"""Which examples train, which validate and which test."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightning_vi.datamodules.rows import Rows
from lightning_vi.errors import UserError

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Indices of the training, the validation and the test split, each in increasing order."""


class ArraysSplit(ABC):
    """How `Arrays` are split.

    Attributes:
        column: That tells an example's part; it is no feature.
    """

    column: str | None = None

    @abstractmethod
    def cut(self, rows: Rows, read: Callable[[str], Rows], is_class: bool) -> tuple[Rows, Rows, Rows]:
        """The three splits.

        Args:
            rows: Examples of the file that is split.
            read: Reads another file.
            is_class: Whether the targets are classes.

        Raises:
            UserError: If there is nothing to train or test on.
        """


class ImagesSplit(ABC):
    """How `Images` are split."""

    @abstractmethod
    def parts(self, folders: np.ndarray, classes: np.ndarray) -> Parts:
        """The three splits.

        Args:
            folders: (N,), of each image the first folder on the way to it.
            classes: (N,), the folder that it lies in.

        Raises:
            UserError: If there is nothing to train or test on.
        """


@dataclass(frozen=True)
class Fractions(ArraysSplit, ImagesSplit):
    """At random: the same examples whenever the file, `seed` and the fractions are the same; stratified by class.

    The test split does not depend on `validation`.

    Args:
        validation: The part that validates; 0 for no validation.
        test: The part that tests, above 0.
        seed: Chooses the examples.

    Raises:
        UserError: If a fraction is out of its range, or nothing is left to train on.
    """

    validation: float = 0.1
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            raise UserError(
                f"Fractions: validation (={self.validation}) must lie in [0, 1), test (={self.test}) in (0, 1), and "
                "their sum below 1."
            )
        if not 0 <= self.seed < 2**32:
            raise UserError(f"Fractions: seed (={self.seed}) must lie in [0, {2**32 - 1}].")

    def cut(self, rows: Rows, read: Callable[[str], Rows], is_class: bool) -> tuple[Rows, Rows, Rows]:
        """See `ArraysSplit.cut`."""
        training, validation, test = self._parts(len(rows), rows.targets if is_class else None)
        return rows.take(training), rows.take(validation), rows.take(test)

    def parts(self, folders: np.ndarray, classes: np.ndarray) -> Parts:
        """See `ImagesSplit.parts`."""
        return self._parts(len(classes), classes)

    def _parts(self, size: int, classes: np.ndarray | None) -> Parts:
        rest, test = self._held_out(np.arange(size), round(self.test * size), classes, "test")
        if self.validation == 0:
            return rest, rest[:0], test
        training, validation = self._held_out(rest, round(self.validation * size), classes, "validation")
        return training, validation, test

    def _held_out(
        self, index: np.ndarray, size: int, classes: np.ndarray | None, name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        # Imported here: scikit-learn takes longer to import than the command line to print its help.
        from sklearn.model_selection import train_test_split

        if classes is not None:
            labels, counts = np.unique(classes[index], return_counts=True)
            if counts.min() < 2:
                raise UserError(
                    f"Fractions: the class '{labels[counts.argmin()]}' has too few examples for all splits. Add some, "
                    "remove it, or split by ByColumn or ByFile."
                )
            least = len(labels)
        else:
            least = 1
        if not least <= size <= len(index) - least:
            raise UserError(
                f"Fractions: {name} (={getattr(self, name)}) makes {size} of {len(index)} examples, but each split "
                f"needs at least {least}{' (the classes)' if least > 1 else ''}. Change it, or give more examples."
            )
        stratify = None if classes is None else classes[index]
        kept, held_out = train_test_split(index, test_size=size, stratify=stratify, random_state=self.seed)
        return np.sort(kept), np.sort(held_out)


@dataclass(frozen=True)
class ByColumn(ArraysSplit):
    """By the words of a column.

    Args:
        column: Its name.
        training: Of the examples that train.
        validation: Of those that validate; there need be none.
        test: Of those that test.

    Raises:
        UserError: If two parts have one word.
    """

    column: str = "split"
    training: str = "train"
    validation: str = "val"
    test: str = "test"

    def __post_init__(self) -> None:
        _require_different("ByColumn", self.training, self.validation, self.test)

    def cut(self, rows: Rows, read: Callable[[str], Rows], is_class: bool) -> tuple[Rows, Rows, Rows]:
        """See `ArraysSplit.cut`; an example of another part is refused, too."""
        names = (self.training, self.validation, self.test)
        unknown = ~np.isin(rows.parts, names)
        if unknown.any():
            row = int(unknown.argmax())
            raise UserError(
                f"ByColumn: column '{self.column}', row {rows.numbers[row]} (the first is 0): '{rows.parts[row]}' is "
                f"none of {', '.join(names)}. Correct it, or name the parts."
            )
        training, validation, test = (rows.take(rows.parts == name) for name in names)
        _require_some("ByColumn", training=len(training), test=len(test))
        return training, validation, test


@dataclass(frozen=True)
class ByFile(ArraysSplit):
    """By file: `path` of the datamodule trains, others validate and test.

    Args:
        test: The file that tests.
        validation: The file that validates; None for no validation.
    """

    test: str
    validation: str | None = None

    def cut(self, rows: Rows, read: Callable[[str], Rows], is_class: bool) -> tuple[Rows, Rows, Rows]:
        """See `ArraysSplit.cut`."""
        validation = rows.take(slice(0, 0)) if self.validation is None else read(self.validation)
        return rows, validation, read(self.test)


@dataclass(frozen=True)
class ByFolder(ImagesSplit):
    """By folder: `<path>/<part>/<class>/<image>`.

    Args:
        training: The folder of the images that train.
        validation: Of those that validate; it need not be there.
        test: Of those that test.

    Raises:
        UserError: If two parts have one folder.
    """

    training: str = "train"
    validation: str = "val"
    test: str = "test"

    def __post_init__(self) -> None:
        _require_different("ByFolder", self.training, self.validation, self.test)

    def parts(self, folders: np.ndarray, classes: np.ndarray) -> Parts:
        """See `ImagesSplit.parts`; an image of another folder is refused, too."""
        names = (self.training, self.validation, self.test)
        unknown = sorted(set(folders[~np.isin(folders, names)]))
        if unknown:
            raise UserError(
                f"ByFolder: the folder '{unknown[0]}' is none of {', '.join(names)}. Move it away, or name the parts."
            )
        training, validation, test = (np.flatnonzero(folders == name) for name in names)
        _require_some("ByFolder", training=len(training), test=len(test))
        return training, validation, test


def _require_different(owner: str, *names: str) -> None:
    if len(set(names)) < len(names):
        raise UserError(f"{owner}: training, validation and test (={', '.join(names)}) must be different.")


def _require_some(owner: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size == 0:
            raise UserError(f"{owner}: there are no examples of the {name} split. Name what they are called: {name}.")
