from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lightning_vi.callbacks import prediction_file
from lightning_vi.callbacks.prediction_file import Part, merge
from tests.own_files import read


def write(path: Path, positions: list[list[int]]) -> Path:
    part = Part(path)
    for each in positions:
        values = np.array(each, np.float32)
        names = pa.array([f"row, {k}" for k in each], pa.string())
        part.write(each, {"id": names, "x": pa.array(values / 7)})
    part.close()
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "parts",
    [
        [[[0, 1, 2], [3, 4]]],
        [[[0, 1], [4, 5, 8]], [[2, 3], [6, 7]]],
        [[[0, 3, 6], [9]], [[1, 4, 7]], [[2, 5], [], [8]]],
        [[[0], [1]], [], [[2, 3]]],
    ],
    ids=["one", "blocks", "interleaved", "empty"],
)
def test_parts_become_one_file_in_order(
    parts: list[list[list[int]]], suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_file, "GROUP_ROWS", 3)
    target = tmp_path / f"out.{suffix}"
    assert merge([write(tmp_path / str(rank), part) for rank, part in enumerate(parts)], target)
    table = read(target)
    count = sum(len(each) for part in parts for each in part)
    assert table.column_names == ["id", "x"]
    assert table["id"].to_pylist() == [f"row, {k}" for k in range(count)]
    np.testing.assert_array_equal(table["x"].to_numpy().astype(np.float32), np.arange(count, dtype=np.float32) / 7)


def test_a_single_part_keeps_its_order_and_none_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    merge([write(tmp_path / "0", [[5, 3], [0]])], target)
    assert target.read_text().splitlines()[:2] == ["id,x", '"row, 5",0.71428573']
    assert not merge([write(tmp_path / "1", [])], tmp_path / "nothing.csv")
    assert not (tmp_path / "nothing.csv").exists()
