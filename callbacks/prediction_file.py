"""Files of predictions: parts of single processes, and the whole, neither of which need fit in memory."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from lightning_vi.errors import UserError
from lightning_vi.whole_file import whole

SUFFIXES = (".csv", ".parquet")
GROUP_ROWS = 1 << 16
"""Rows of a .parquet file that are written together; each group costs it a description of every column."""


class Sink(Protocol):
    """Takes tables of one schema."""

    def write_table(self, table: pa.Table) -> None:
        """Add its rows."""


def require_writable(output: str) -> Path:
    """The path of a file of predictions.

    Raises:
        UserError: If its name does not tell a format.
    """
    path = Path(output).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"output (={output}): the name of a file of predictions must end in {' or '.join(SUFFIXES)}.")
    if path.is_dir():
        raise UserError(f"output (={output}) is a folder. Name a file.")
    return path


class Part:
    """What one process predicts, in the order in which it does.

    Args:
        path: The file, in Arrow's stream format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def write(self, positions: Sequence[int] | np.ndarray, columns: dict[str, pa.Array]) -> None:
        """Add some examples, with their positions in the data set."""
        if len(positions) == 0:  # the part of a device that a last block has left nothing; its ids have no type
            return
        arrays = [pa.array(np.asarray(positions, dtype=np.int64)), *columns.values()]
        batch = pa.RecordBatch.from_arrays(arrays, names=["", *columns])
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._file, batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """End the file; it is empty if nothing has been written."""
        if self._writer is not None:
            self._writer.close()
        self._file.close()


def merge(parts: Sequence[Path], target: Path) -> bool:
    """One file in the order of the positions, from parts that are each in that order; complete or not there at all.

    A single part keeps its own order.

    Returns:
        Whether there was anything to write.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in parts if path.stat().st_size]
        streams = [stack.enter_context(pa.ipc.open_stream(file)) for file in files]
        if not streams:
            return False
        ordered = _tables(streams[0]) if len(streams) == 1 else _ordered([_tables(each) for each in streams])
        schema = streams[0].schema.remove(0)
        with whole(target) as part, _sink(part, target.suffix.lower(), schema) as sink:
            for table in _groups(table.remove_column(0) for table in ordered):
                sink.write_table(table)
    return True


@contextmanager
def _sink(path: Path, suffix: str, schema: pa.Schema) -> Iterator[Sink]:
    if suffix == ".parquet":
        with parquet.ParquetWriter(path, schema) as sink:
            yield sink
        return
    with path.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerow(schema.names)  # Arrow's would put all names in quotes
    with (
        path.open("ab") as file,
        arrow_csv.CSVWriter(file, schema, write_options=arrow_csv.WriteOptions(include_header=False)) as sink,
    ):
        yield sink


def _tables(stream: pa.ipc.RecordBatchStreamReader) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in stream if len(batch))


def _ordered(streams: list[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Tables of all streams in the order of their first columns, with one of each stream in memory."""
    heads = [(head, stream) for stream in streams if (head := next(stream, None)) is not None]
    while heads:
        # Up to the lowest end nothing can come that is not in memory.
        end = min(head.column(0)[-1].as_py() for head, _ in heads)
        counts = [int(np.searchsorted(head.column(0).to_numpy(), end, side="right")) for head, _ in heads]
        ready = [head.slice(0, count) for (head, _), count in zip(heads, counts, strict=True)]
        yield pa.concat_tables(ready).sort_by("")
        following = [
            (head.slice(count) if count < len(head) else next(stream, None), stream)
            for (head, stream), count in zip(heads, counts, strict=True)
        ]
        heads = [(head, stream) for head, stream in following if head is not None]


def _groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least `GROUP_ROWS`, the last apart."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
