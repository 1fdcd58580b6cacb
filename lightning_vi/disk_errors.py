"""Tells what the disk refuses as a user's mistake: full, read-only, not permitted, gone."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_vi.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
OF_A_FILE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""Only where the error names a file; without one it is not of the disk."""


@contextmanager
def disk_errors_told() -> Iterator[None]:
    """A context in which they are told in a line, and what has been noted of them in another.

    Raises:
        UserError: in their place.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL and (error.errno not in OF_A_FILE or error.filename is None):
            raise
        where = "a file of the run" if error.filename is None else error.filename
        told = f"{where}: {error.strerror}. Mend that and start again; checkpoints that were saved are as they were."
        notes = (note.removeprefix("lightning-vi: ") for note in getattr(error, "__notes__", []))
        raise UserError("\n".join([told, *notes])) from error
