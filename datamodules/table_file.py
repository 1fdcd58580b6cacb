"""Tables in .csv and .parquet files, read a block of rows at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from lightning_vi.datamodules.columns import Column
from lightning_vi.datamodules.source import Source
from lightning_vi.errors import UserError

BLOCK_BYTES = 1 << 20
BLOCK_ROWS = 1 << 14


class CsvFile(Source):
    """A .csv file with a line of column names. Values are read as text: what is wrong with one is told by its row.

    Args:
        path: The file.
        delimiter: What stands between two values.

    Raises:
        UserError: If the file cannot be read, or its columns have no names of their own.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        with _told(path), self._reader() as reader:
            names = list(reader.schema.names)
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UserError(f"{path}: {len(twice)} names of columns stand there twice, e.g. '{twice[0]}'. Rename one.")
        other = next((each for each in ";\t,|" if each != delimiter and each in names[0]), None)
        if len(names) == 1 and other is not None:
            raise UserError(f"{path}: its one column is '{names[0][:60]}'. Is its delimiter {other!r}? Set delimiter.")
        super().__init__(str(path), names)

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """See `Source.blocks`."""
        with _told(self.path), self._reader(names) as reader:
            first = 0
            for block in reader:
                yield _columns(str(self.path), block, first)
                first += len(block)

    def _reader(self, names: Sequence[str] | None = None) -> csv.CSVStreamingReader:
        # One thread: with several, messages do not have the row.
        return csv.open_csv(
            self.path,
            csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            csv.ConvertOptions(column_types=dict.fromkeys(names or (), pa.string()), include_columns=names),
        )


class ParquetFile(Source):
    """A .parquet file.

    Args:
        path: The file.

    Raises:
        UserError: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _told(path), parquet.ParquetFile(path) as file:
            super().__init__(str(path), list(file.schema_arrow.names))

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """See `Source.blocks`."""
        with _told(self.path), parquet.ParquetFile(self.path) as file:
            first = 0
            for block in file.iter_batches(BLOCK_ROWS, columns=list(names)):
                yield _columns(str(self.path), block, first)
                first += len(block)


def _columns(path: str, block: pa.RecordBatch, first: int) -> dict[str, Column]:
    return {name: Column(path, name, first, block.column(name)) for name in block.schema.names}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A context in which what Arrow finds wrong with a file is a user's mistake."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no readable table: {reason[:200]}. Correct it.") from error
