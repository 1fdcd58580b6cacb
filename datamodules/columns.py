"""Columns of a file as numbers or as words; what is neither is told by its name and row."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightning_vi.errors import UserError

Values = np.ndarray


class Column(NamedTuple):
    """Some rows of a column.

    Attributes:
        file: Where it stands.
        name: Its name there.
        first: Number of the first of the rows; that of the file's first row is 0.
        values: The rows: (n,) in Arrow's format, or (n, ...) in NumPy's.
    """

    file: str
    name: str
    first: int
    values: pa.Array | Values

    def refused(self, row: int, fault: str) -> UserError:
        """What to raise of one of these rows."""
        return UserError(f"{self.file}: column '{self.name}', row {self.first + row} (the first is 0): {fault}")


def numbers(column: Column) -> Values:
    """The values as float64, or float32 if they have more than two axes; shape (n, ...).

    Raises:
        UserError: For the first that is missing, not finite or not a number.
    """
    array = _array_numbers(column) if isinstance(column.values, Values) else _arrow_numbers(column)
    wrong = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1) if len(array) else np.zeros(0, dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        found = array[row].reshape(-1)
        value = found[~np.isfinite(found)][0]
        raise column.refused(row, f"{value} is not a finite number. Correct or remove the row.")
    return array


def words(column: Column) -> Values:
    """The values as words, (n,) strings: whole numbers without a decimal point, whatever their type.

    Raises:
        UserError: For the first that is missing or is a fraction.
    """
    values = column.values
    if isinstance(values, Values):
        if values.ndim != 1:
            raise UserError(f"{column.file}: '{column.name}' has the shape {values.shape}, but classes need (N,).")
        values = pa.array(values)
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        values = pa.array(_whole(column._replace(values=values)))
    found: Values = pc.cast(values, pa.string()).to_numpy(zero_copy_only=False)
    _refuse(
        column, lambda value: value is None or not value.strip(), found, "it is missing. Fill in or remove the row."
    )
    return found


def keys(column: Column) -> Values:
    """The values as they stand, (n,) whole numbers or strings, to name rows by.

    Raises:
        UserError: If they are neither, or if one is missing.
    """
    values = column.values if isinstance(column.values, pa.Array) else pa.array(column.values)
    if pa.types.is_integer(values.type) and not values.null_count:
        found: Values = values.to_numpy(zero_copy_only=False)
        return found.astype(np.int64)
    return words(column)


def _array_numbers(column: Column) -> Values:
    values = column.values
    if values.dtype.kind not in "biuf":
        raise UserError(f"{column.file}: '{column.name}' holds {values.dtype}, but numbers are needed.")
    return values.astype(np.float64 if values.ndim < 3 else np.float32)


def _arrow_numbers(column: Column) -> Values:
    values = column.values
    assert isinstance(values, pa.Array)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    _refuse(column, lambda value: value is None, values, "it is missing. Fill in or remove the row.")
    if _is_text(values.type):
        try:
            values = pc.cast(values, pa.float64())
        except pa.ArrowInvalid:
            return np.array([_number(column, row, text) for row, text in enumerate(values.to_pylist())])
    elif not (
        pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    ):
        raise UserError(
            f"{column.file}: column '{column.name}' holds {values.type}, but a feature needs numbers. Leave it out: "
            "name the others in features."
        )
    found: Values = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def _number(column: Column, row: int, text: str) -> float:
    if not text.strip():
        raise column.refused(row, "it is missing. Fill in or remove the row.")
    try:
        return float(text)
    except ValueError:
        raise column.refused(
            row, f"'{text[:40]}' is not a number. Correct it, or name the columns of numbers in features."
        ) from None


def _whole(column: Column) -> Values:
    found = numbers(column)
    fractions = found != np.round(found)
    if fractions.any():
        row = int(fractions.argmax())
        raise column.refused(row, f"{found[row]} is no class. For a regression give task: regression.")
    return found.astype(np.int64)


def _refuse(column: Column, is_wrong: Callable[[str | None], bool], values: pa.Array | Values, fault: str) -> None:
    if isinstance(values, pa.Array):
        if not values.null_count:
            return
        values = values.to_pylist()
    for row, value in enumerate(values):
        if is_wrong(value):
            raise column.refused(row, fault)


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
