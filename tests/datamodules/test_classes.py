import numpy as np
import pytest

from lightning_vi.datamodules.classes import classes_of, indices
from lightning_vi.errors import UserError


@pytest.mark.parametrize(
    ("words", "classes"),
    [
        (["10", "9", "-1", "9"], (-1, 9, 10)),
        (["b", "a"], ("a", "b")),
        (["01", "1"], ("01", "1")),
        (["1", "a"], ("1", "a")),
        (["1.0", "2.0"], ("1.0", "2.0")),
        (["2", "--1"], ("--1", "2")),
    ],
)
def test_order(words: list[str], classes: tuple[object, ...]) -> None:
    array = np.array(words, dtype=object)
    assert classes_of(array) == classes
    places = indices(array, classes_of(array), np.arange(len(words)), "a.csv: column 'y'")
    assert [str(classes[place]) for place in places] == words


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"1\.5 is no class"):
        classes_of(np.array(["1", "1.5"]))
    with pytest.raises(UserError, match=r"column 'y', row 7 \(the first is 0\): 'z' is no class .* which has: a, b"):
        indices(np.array(["a", "z"]), ("a", "b"), np.array([3, 7]), "a.csv: column 'y'")
