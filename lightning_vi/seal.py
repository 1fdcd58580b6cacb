"""A checksum within a checkpoint's own file, where no copy can lose it.

A file of `torch.save` is a zip archive. An archive may end with a comment, which `torch.load` skips; ours holds the
SHA-256 of all bytes before it. An archive's own checksums (CRC-32) are of its records alone, and `torch.load` does not
look at them.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile

MARK = b"lightning-vi sha256 "
LENGTH = len(MARK) + 2 * hashlib.sha256().digest_size
"""Of the comment, in bytes."""

END = b"PK\x05\x06"
END_LENGTH = 22
"""Of the record that ends an archive, without the comment; the comment's length stands in its last two bytes."""

CHUNK = 1 << 20
UNREADABLE = "it has been cut short, or is not a file of torch.save"


def seal(file: BinaryIO) -> None:
    """Add the checksum to a file that `torch.save` has just written, open for reading and writing."""
    size = file.seek(-2, os.SEEK_END) + 2
    file.write(LENGTH.to_bytes(2, "little"))
    digest = _digest(file, size)
    file.seek(0, os.SEEK_END)
    file.write(MARK + digest)


def damage(path: Path) -> str | None:
    """What is wrong with a file of `torch.save`, or None if it is whole.

    All bytes of a file that is sealed are checked, and of one that is not its records. What the file holds may be
    hostile all the same.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return "it is empty"
        file.seek(max(0, size - LENGTH))
        tail = file.read()
        if tail.startswith(MARK):
            whole = _digest(file, size - LENGTH) == tail.removeprefix(MARK)
            return None if whole else "its checksum is not that of its content"
    # What is left of a file whose seal was cut or changed does not end like this: it still has the comment's length.
    end = tail[-END_LENGTH:]
    if not end.startswith(END) or end[-2:] != b"\0\0":
        return UNREADABLE
    return _damage_of_records(path, size)


def _damage_of_records(path: Path, size: int) -> str | None:
    try:
        with ZipFile(path) as archive:
            records = archive.infolist()
            # As torch writes them; what unfolds to more than there is in the file could keep us busy for days.
            if any(each.compress_type != ZIP_STORED for each in records) or sum(r.file_size for r in records) > size:
                return UNREADABLE
            damaged = archive.testzip()
    except Exception:  # a damaged archive makes zipfile raise nearly anything
        return UNREADABLE
    return None if damaged is None else f"the checksum of its record {damaged} is not that of its content"


def _digest(file: BinaryIO, size: int) -> bytes:
    """The checksum of a file's first bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (chunk := file.read(min(CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest().encode()
