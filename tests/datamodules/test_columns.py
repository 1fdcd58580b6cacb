import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lightning_vi.datamodules.columns import Column, keys, numbers, words
from lightning_vi.errors import UserError


def column(values: Any) -> Column:
    return Column("a.csv", "x", 100, values)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1", "2.5", " -3e2 "]),
        pa.array([1, 2.5, -300.0]),
        pa.array([Decimal("1"), Decimal("2.5"), Decimal("-300")]),
        np.array([1, 2.5, -300], dtype=np.float32),
    ],
    ids=["text", "floats", "decimals", "array"],
)
def test_numbers(values: Any) -> None:
    np.testing.assert_array_equal(numbers(column(values)), [1.0, 2.5, -300.0])


def test_numbers_of_other_types() -> None:
    np.testing.assert_array_equal(numbers(column(pa.array([True, False]))), [1.0, 0.0])
    assert numbers(column(np.zeros((2, 1, 3, 3), np.uint8))).dtype == np.float32
    assert numbers(column(pa.array([], pa.float64()))).shape == (0,)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array(["1", "", "3"]), "a.csv: column 'x', row 101 (the first is 0): it is missing."),
        (pa.array([1.0, None]), "a.csv: column 'x', row 101 (the first is 0): it is missing."),
        (pa.array(["1", "high"]), "row 101 (the first is 0): 'high' is not a number."),
        (pa.array(["1", "nan"]), "row 101 (the first is 0): nan is not a finite number."),
        (pa.array([np.inf]), "row 100 (the first is 0): inf is not a finite number."),
        (np.array([[1.0, 2.0], [3.0, -np.inf]]), "row 101 (the first is 0): -inf is not a finite number."),
        (np.array(["a"]), "'x' holds <U1, but numbers are needed."),
        (pa.array([[1]]), "column 'x' holds list<"),
    ],
)
def test_what_is_no_number_is_told_by_its_row(values: Any, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        numbers(column(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["b", "01", "1.0"]), ["b", "01", "1.0"]),
        (pa.array([3.0, -1.0]), ["3", "-1"]),
        (pa.array([3, 4], pa.uint8()), ["3", "4"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["u", "v"]).dictionary_encode(), ["u", "v"]),
        (np.array([5, 6]), ["5", "6"]),
        (np.array(["s", "t"]), ["s", "t"]),
    ],
)
def test_words(values: Any, expected: list[str]) -> None:
    assert words(column(values)).tolist() == expected


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array(["a", " "]), "row 101 (the first is 0): it is missing."),
        (pa.array(["a", None]), "row 101 (the first is 0): it is missing."),
        (pa.array([1.0, 1.5]), "row 101 (the first is 0): 1.5 is no class. For a regression give task: regression."),
        (np.zeros((2, 2)), "'x' has the shape (2, 2), but classes need (N,)"),
    ],
)
def test_what_is_no_word_is_told_by_its_row(values: Any, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        words(column(values))


def test_keys_stay_as_they_are() -> None:
    assert keys(column(pa.array([7, 3]))).dtype == np.int64
    assert keys(column(pa.array(["007", "3"]))).tolist() == ["007", "3"]
