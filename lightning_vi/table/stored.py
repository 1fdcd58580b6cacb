"""Results of runs: one small JSON file each, from which every report is made."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from lightning_vi.errors import UserError
from lightning_vi.json_file import write_json

Key = TypeVar("Key", int, str)

MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading JSON raises, and making a result of what is none."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "row": str,
    "seed": int,
    "config": str,
    "settings": dict,
    "epochs": int,
    "weights": int,
    "minutes": (int, float),
    "device": str,
    "commit": str,
    "together": int,
}


@dataclass(frozen=True)
class Result:
    """What one run has come to.

    Attributes:
        row: Name of its row.
        seed: Its seed.
        config: Hash of its settings, see `lightning_vi.table.runs.Run`.
        settings: What was trained, by the names that the options have on the command line.
        scores: Score to value, e.g. `test/error`, in the units in which the module logs it.
        curves: Score to its values by the number of epochs trained.
        epochs: Number of epochs trained.
        weights: Number of weights of the network.
        minutes: Time of training, validation during it included, without the final test.
        device: What it ran on.
        commit: The version of this package's source.
        together: Number of seeds that were trained as one ensemble, this one included; its minutes are an equal part
            of the whole time.
    """

    row: str
    seed: int
    config: str
    settings: Mapping[str, Any]
    scores: Mapping[str, float]
    curves: Mapping[str, Mapping[int, float]]
    epochs: int
    weights: int
    minutes: float
    device: str
    commit: str
    together: int = 1

    @property
    def file_name(self) -> str:
        """Name of the file that holds it: a run with other settings has another."""
        return file_name(self.row, self.seed, self.config)


def file_name(row: str, seed: int | str, config: str) -> str:
    """Name of the file of a run's result, or with seed `*` a pattern for those of all seeds."""
    return f"{row}-seed{seed}-{config}.json"


def write(result: Result, folder: Path) -> Path:
    """Store a result, whole or not at all; the file."""
    path = folder / result.file_name
    write_json(path, asdict(result))
    return path


def read(path: Path) -> Result:
    """Read a stored result.

    Raises:
        UserError: if the file is none.
    """
    try:
        result = result_of(json.loads(path.read_text(encoding="utf-8")))
        if result.file_name != path.name:
            raise ValueError(f"its run is that of {result.file_name}")
    except MALFORMED as error:
        raise UserError(f"{path} is not the stored result of its run: {error}. Delete it.") from error
    return result


def result_of(content: Mapping[str, Any]) -> Result:
    """The result that a file's fields stand for.

    Raises:
        Exception: one of :data:`MALFORMED`, if they are not those of a result.
    """
    content = {"together": 1, **content}  # older files have none
    for name, kind in _TYPES.items():
        if not isinstance(content[name], kind):
            raise TypeError(f"{name} (={content[name]!r:.40}) is of the wrong type")
    curves = {name: _numbers(curve, int) for name, curve in content["curves"].items()}
    return Result(**{**content, "curves": curves, "scores": _numbers(content["scores"], str)})


def _numbers(values: Mapping[str, Any], key: Callable[[str], Key]) -> dict[Key, float]:
    return {key(name): float(value) for name, value in values.items()}
