import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lightning_vi.datamodules import table_file
from lightning_vi.datamodules.columns import Column
from lightning_vi.datamodules.rows import Wanted, all_of, source_of
from lightning_vi.datamodules.table_file import CsvFile, ParquetFile
from lightning_vi.errors import UserError
from tests.own_files import write


def listed(column: Column) -> list[Any]:
    assert isinstance(column.values, pa.Array)
    values: list[Any] = column.values.to_pylist()
    return values


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_blocks_are_the_file_in_order(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 100)
    path = write(pa.table({"a": range(1000), "b": [0.5] * 1000, "c": ["x, y"] * 1000}), tmp_path / f"t.{suffix}")
    source = CsvFile(path, ",") if suffix == "csv" else ParquetFile(path)
    assert source.names == ["a", "b", "c"]
    blocks = list(source.blocks(["c", "a"]))
    assert len(blocks) >= 10
    values = [int(value) for block in blocks for value in listed(block["a"])]
    assert values == list(range(1000))
    assert {value for block in blocks for value in listed(block["c"])} == {"x, y"}
    for block in blocks:
        assert int(listed(block["a"])[0]) == block["a"].first == block["c"].first
    assert all_of(source, Wanted(("a",))).inputs[:, 0].tolist() == values


def test_text_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('﻿"a b";y\r\n007;"two\nlines"\r\n'.encode())
    (block,) = CsvFile(path, ";").blocks(["a b", "y"])
    assert listed(block["a b"]) == ["007"]
    assert listed(block["y"]) == ["two\nlines"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "a.csv is no readable table: Empty CSV file"),
        ("a.csv", b"x,y\n1,2\n3\n", "Expected 2 columns, got 1: 3"),
        ("a.csv", b"x,y,x\n1,2,3\n", "1 names of columns stand there twice, e.g. 'x'"),
        ("a.csv", b"x;y\n1;2\n", "its one column is 'x;y'. Is its delimiter ';'? Set delimiter."),
        ("a.csv", b"x,y\n\xff\xfe,2\n", "a.csv is no readable table"),
        ("a.csv", b"x,y\n", "a.csv has no rows."),
        ("a.parquet", b"x,y\n1,2\n", "a.parquet is no readable table: Parquet"),
        ("a.txt", b"", "must end in .csv, .parquet, .npz"),
    ],
)
def test_what_is_no_table_is_told(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(told)):
        all_of(source_of(path, ","), Wanted(("x",), id="y"))


def test_what_is_missing_is_told_with_what_is_there(tmp_path: Path) -> None:
    path = write(pa.table({f"c{k}": [1] for k in range(20)}), tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"b\.csv: no such file\. Beside it: a\.csv\."):
        source_of(tmp_path / "b.csv", ",")
    with pytest.raises(UserError, match=r"a\.csv has no column 'd' \(target\)\. It has: c0, .*c11, \.\.\.\."):
        source_of(path, ",").require(["d", "c1"], "target")
