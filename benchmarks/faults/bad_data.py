"""Mutated files, through each reader of our own: it names the file in a line or two, or reads what stands there.

A trial mutates a good file (`mutations`) and reads it. It fails on any other exception, on a message without the file's
name or of more than two lines, and where what is read is not what the file says.
"""

import json
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import torch
from torchvision import datasets

from benchmarks.faults.mutations import mutated
from lightning_vi import named_configs
from lightning_vi.datamodules.images import TEST_FILES, TRAINING_FILES, IdxImages
from lightning_vi.datamodules.scaling import Divide
from lightning_vi.errors import UserError
from lightning_vi.table import command, runs, stored
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run

SIZE = 6
RESULT = stored.Result(
    row="row",
    seed=3,
    config="0a1b2c3d",
    settings={"model.draws": 2, "trainer.max_epochs": 2},
    scores={"test/error": 1.5, "test/nll": 0.25},
    curves={"val/error": {1: 2.5, 2: 1.75}},
    epochs=2,
    weights=1000,
    minutes=1.5,
    device="CPU",
    commit="0123456",
)
FINISHED = {
    "scores": {"test/error": 1.5},
    "curves": {"val/error": {"1": 2.5}},
    "epochs": 2,
    "parameters": 2000,
    "weights": 1000,
    "seconds": 90.0,
    "device": "CPU",
    "commit": "0123456",
}

Content = TypeVar("Content")


def cases() -> dict[str, Callable[[int], None]]:
    """The readers, by what they read."""
    readers = {
        "images and labels (IDX)": idx,
        "configurations (YAML)": configuration,
        "tables (YAML)": table,
        "stored results (JSON)": stored_result,
        "results of a run (JSON)": run_results,
    }
    return {name: partial(_in_a_folder, name, reader) for name, reader in readers.items()}


def _in_a_folder(name: str, reader: Callable[[Path, Random], None], trial: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reader(Path(folder), Random(f"{name} {trial}"))


def idx(folder: Path, chance: Random) -> None:
    """One of the four files of a data set of images."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in TRAINING_FILES + TEST_FILES:
        shape = (SIZE, 28, 28) if "images" in name else (SIZE,)
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        (raw / name).write_bytes(header + (chance.randbytes(SIZE * 784) if "images" in name else bytes(range(SIZE))))
    path = raw / chance.choice(TRAINING_FILES + TEST_FILES)
    good = path.read_bytes()
    path.write_bytes(mutated(good, chance))
    splits = read(path, IdxImages(datasets.MNIST, folder, 0, Divide(divisor=1.0), SIZE, SIZE).splits)
    if splits is not None:
        now, begin = path.read_bytes(), 16 if "images" in path.name else 8
        assert (len(now), now[:begin]) == (len(good), good[:begin]), "a wrong header or length was passed over"
        pixels, labels = (splits.test if path.name in TEST_FILES else splits.training).tensors
        values = pixels if "images" in path.name else labels
        assert values.flatten().to(torch.uint8).tolist() == list(now[begin:])


def configuration(folder: Path, chance: Random) -> None:
    """A packaged configuration."""
    path = folder / "own.yaml"
    path.write_bytes(mutated(chance.choice(list(named_configs.packaged().values())).read_bytes(), chance))
    named_configs.is_table(path)
    read(path, lambda: named_configs.read(named_configs.find(str(path))))


def table(folder: Path, chance: Random) -> None:
    """A packaged table; what is read of it can be trained."""
    path = folder / "own.yaml"
    name = chance.choice(("table1.yaml", "table1_grid.yaml"))
    path.write_bytes(mutated(named_configs.packaged()[name].read_bytes(), chance))
    read(path, lambda: runs.runs_of(command.read(str(path))))


def stored_result(folder: Path, chance: Random) -> None:
    """What `table` has stored of a run."""
    path = stored.write(RESULT, folder)
    path.write_bytes(mutated(path.read_bytes(), chance))
    result = read(path, lambda: stored.read(path))
    if result is not None:
        # As text, in which one NaN is like another.
        assert str(stored.read(stored.write(result, folder / "again"))) == str(result)


def run_results(folder: Path, chance: Random) -> None:
    """What `fit` has left of a run for `table`: a run whose file is damaged counts as not finished."""
    path = folder / "version_0" / "results.json"
    path.parent.mkdir()
    path.write_bytes(mutated(json.dumps(FINISHED, indent=1).encode(), chance))
    for result in read(path, lambda: RunIn(folder).store(folder)) or []:
        assert stored.read(folder / result.file_name).row == "row"


class RunIn(Run):
    """A run whose folder is another one."""

    def __init__(self, folder: Path) -> None:
        super().__init__("table", Row(name="row", labels={}, configs=["bbb_digits.yaml"]), seed=3)
        object.__setattr__(self, "place", folder)  # the class is frozen

    @property
    def folder(self) -> Path:
        """See `Run.folder`."""
        place: Path = vars(self)["place"]
        return place


def read(path: Path, reader: Callable[[], Content]) -> Content | None:
    """What a reader makes of a file; None if it has refused it as it should."""
    try:
        return reader()
    except UserError as error:
        message = str(error)
    except Exception as error:
        raise AssertionError(f"{error!r} of {path.read_bytes()[:2000]!r}") from error
    assert path.name in message, f"without the file's name: {message}"
    assert len(message.splitlines()) <= 2, f"more than two lines: {message}"
    return None
