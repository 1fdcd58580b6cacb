"""Arrays in an .npz file of NumPy, read some rows at a time: the file may be larger than memory, zipped or not."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from lightning_vi.datamodules.columns import Column
from lightning_vi.datamodules.source import Source
from lightning_vi.errors import UserError

BLOCK_BYTES = 1 << 22
SUFFIX = ".npy"


class Header(NamedTuple):
    """What an array's file says of it."""

    shape: tuple[int, ...]
    in_columns: bool
    dtype: np.dtype[np.generic]


class NpzFile(Source):
    """The arrays of an .npz file, each with one row per example.

    Args:
        path: The file.

    Raises:
        UserError: If it cannot be read, or its arrays differ in length or hold Python objects.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(SUFFIX)]
                self.headers = {name.removesuffix(SUFFIX): _header(archive, name) for name in names}
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise UserError(f"{path} is not a readable file of numpy.savez: {error}. Write it anew.") from error
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        super().__init__(str(path), list(self.headers))
        for name, header in self.headers.items():
            if header.dtype.hasobject:
                raise UserError(f"{path}: '{name}' holds Python objects, which are not read. Save numbers or strings.")
            if header.in_columns and len(header.shape) > 1:
                raise UserError(f"{path}: '{name}' is in Fortran's order. Save numpy.ascontiguousarray of it.")

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """See `Source.blocks`."""
        lengths = {name: self.headers[name].shape[:1] for name in names}
        if len(set(lengths.values())) > 1 or () in lengths.values():
            told = ", ".join(f"{name} {self.headers[name].shape}" for name in names)
            raise UserError(f"{self.file}: its arrays must have one row per example: {told}.")
        (rows,) = next(iter(lengths.values()))
        widths = [self._row_bytes(name) for name in names]
        step = max(1, BLOCK_BYTES // max(1, sum(widths)))
        with zipfile.ZipFile(self.path) as archive, ExitStack() as stack:
            files = [stack.enter_context(archive.open(name + SUFFIX)) for name in names]
            for file in files:
                _read_header(file)
            for first in range(0, rows, step):
                count = min(step, rows - first)
                yield {
                    name: Column(self.file, name, first, self._rows(file, name, count))
                    for name, file in zip(names, files, strict=True)
                }

    def _row_bytes(self, name: str) -> int:
        header = self.headers[name]
        return int(np.prod(header.shape[1:], dtype=np.int64)) * header.dtype.itemsize

    def _rows(self, file: IO[bytes], name: str, count: int) -> np.ndarray:
        header, size = self.headers[name], count * self._row_bytes(name)
        try:
            data = file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise UserError(f"{self.file}: '{name}' is damaged: {error}. Write it anew.") from error
        if len(data) != size:
            raise UserError(f"{self.file}: '{name}' is cut short. Write it anew.")
        return np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    with archive.open(name) as file:
        return _read_header(file)


def _read_header(file: IO[bytes]) -> Header:
    """What stands before an array's values, which the file is then at."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return Header(*read(file))
