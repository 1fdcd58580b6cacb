"""Files that are there as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A context that gives a path beside the file's; what is written there takes the file's place at its end.

    After an error the file is what it was before.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # or a power failure could leave the new name with nothing behind it
        os.replace(part, path)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            _sync_folder(path.parent)  # or the failure could leave the old name
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
