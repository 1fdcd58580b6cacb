from collections import Counter

import numpy as np
import pytest

from lightning_vi.datamodules import ByColumn, ByFolder, Fractions
from lightning_vi.errors import UserError

CLASSES = np.repeat(["a", "b", "c"], [50, 30, 20])


def test_fractions_are_stratified_disjoint_and_reproducible() -> None:
    parts = Fractions(0.1, 0.2).parts(CLASSES, CLASSES)
    assert [Counter(CLASSES[part].tolist()) for part in parts] == [
        {"a": 35, "b": 21, "c": 14},
        {"a": 5, "b": 3, "c": 2},
        {"a": 10, "b": 6, "c": 4},
    ]
    assert sorted(np.concatenate(parts)) == list(range(100))
    again = Fractions(0.1, 0.2).parts(CLASSES, CLASSES)
    assert all(np.array_equal(*pair) for pair in zip(parts, again, strict=True))
    other = Fractions(0.1, 0.2, seed=1).parts(CLASSES, CLASSES)
    assert not np.array_equal(parts[2], other[2])


def test_the_test_part_does_not_depend_on_the_validation_part() -> None:
    training, validation, test = Fractions(0, 0.2).parts(CLASSES, CLASSES)
    assert (len(training), len(validation)) == (80, 0)
    np.testing.assert_array_equal(test, Fractions(0.3, 0.2).parts(CLASSES, CLASSES)[2])


def test_folders_are_parts() -> None:
    folders = np.array(["train", "test", "train", "val", "test"])
    training, validation, test = ByFolder().parts(folders, folders)
    assert [part.tolist() for part in (training, validation, test)] == [[0, 2], [3], [1, 4]]


@pytest.mark.parametrize("fractions", [(-0.1, 0.2), (0.1, 0.0), (0.5, 0.5), (0.1, 1.0)])
def test_fractions_out_of_range(fractions: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="their sum below 1"):
        Fractions(*fractions)


def test_mistakes() -> None:
    with pytest.raises(UserError, match="seed"):
        Fractions(seed=-1)
    with pytest.raises(UserError, match="class 'b' has too few examples"):
        Fractions().parts(CLASSES[:51], CLASSES[:51])
    with pytest.raises(UserError, match=r"makes 1 of 100 examples.* at least 3 \(the classes\)"):
        Fractions(0.1, 0.01).parts(CLASSES, CLASSES)
    with pytest.raises(UserError, match="must be different"):
        ByColumn(test="train")
    with pytest.raises(UserError, match="the folder 'other' is none of train, val, test"):
        ByFolder().parts(np.array(["train", "other"]), CLASSES[:2])
    with pytest.raises(UserError, match="no examples of the test split"):
        ByFolder().parts(np.array(["train", "val"]), CLASSES[:2])
