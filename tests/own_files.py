"""Real data in files of a user's own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import csv, parquet
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

FEATURES = 6


def cancer(rows: slice = slice(None)) -> pa.Table:
    """569 examples of two classes, six features and a name for each."""
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names[:FEATURES]]
    columns = {name: data.data[rows, place] for place, name in enumerate(names)}
    ids = [f"patient {number}" for number in range(len(data.target))][rows]
    return pa.table({"patient": ids, **columns, "diagnosis": data.target_names[data.target[rows]].tolist()})


def diabetes(rows: slice = slice(None)) -> pa.Table:
    """442 examples with a number to predict, of mean 152 and standard deviation 77."""
    data = load_diabetes()
    names = [str(name) for name in data.feature_names[:FEATURES]]
    return pa.table({**{name: data.data[rows, k] for k, name in enumerate(names)}, "progression": data.target[rows]})


def write(table: pa.Table, path: Path) -> Path:
    """A .csv or .parquet file."""
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


def read(path: Path) -> pa.Table:
    """What a .csv or .parquet file holds."""
    return csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)


def digit_folders(root: Path, count: int, classes: int = 3) -> Path:
    """Digits of 8 x 8 pixels as images, `count` of each class in the folder of its name."""
    data = load_digits()
    for label, name in zip(range(classes), ("zero", "one", "two"), strict=False):
        folder = root / name
        folder.mkdir(parents=True)
        for number, image in enumerate(data.images[data.target == label][:count]):
            Image.fromarray((image * 15).astype(np.uint8)).save(folder / f"{number:03}.png")
    return root
