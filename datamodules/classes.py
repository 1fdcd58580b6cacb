"""Classes by their names, in an order that a checkpoint keeps."""

import math

import numpy as np

from lightning_vi.errors import UserError

Label = int | str
SHOWN = 12


def classes_of(words: np.ndarray) -> tuple[Label, ...]:
    """The different words in order: as numbers if all are whole numbers, else as text.

    Args:
        words: (N,) strings.

    Raises:
        UserError: If they are numbers with fractions.
    """
    found = sorted(set(words.tolist()))
    if all(_is_number(word) for word in found) and not all(float(word).is_integer() for word in found):
        fraction = next(word for word in found if not float(word).is_integer())
        raise UserError(f"the target {fraction} is no class. For a regression give task: regression.")
    if all(word.removeprefix("-").isdecimal() and str(int(word)) == word for word in found):
        return tuple(sorted(map(int, found)))
    return tuple(found)


def indices(words: np.ndarray, classes: tuple[Label, ...], numbers: np.ndarray, where: str) -> np.ndarray:
    """Which class each word is, (N,) int64.

    Args:
        words: (N,) strings.
        classes: K labels.
        numbers: (N,), of the rows in their file.
        where: File and column of the words.

    Raises:
        UserError: For the first word that is no class.
    """
    places = {str(label): place for place, label in enumerate(classes)}
    found = np.array([places.get(word, -1) for word in words.tolist()], dtype=np.int64)
    if (found < 0).any():
        row = int((found < 0).argmax())
        known = ", ".join(map(str, classes[:SHOWN])) + (", ..." if len(classes) > SHOWN else "")
        raise UserError(
            f"{where}, row {numbers[row]} (the first is 0): '{words[row]}' is no class of the training split, "
            f"which has: {known}. Correct or remove the row."
        )
    return found


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
