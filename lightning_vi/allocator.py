"""The C library's allocator, told to keep what training frees and asks for again at the next step."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_BYTES = 1 << 30
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Let arrays of up to a gigabyte reuse freed memory, instead of returning it to the system at every step.

    glibc's malloc asks the system for each array beyond some size anew, and the system clears its pages one by one
    when they are first written: for a network of millions of weights that takes as long as a fifth of a training
    step. The process keeps its peak of memory instead. It concerns all of the process, so only programs should call
    it, as the command line does; the variables of glibc's own, where one is set, go first.

    Returns:
        Whether it was done: false with another C library, or where the environment decides.
    """
    if sys.platform != "linux" or any(variable in os.environ for variable in _VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # Older versions refuse more than 32 MB. Without any, the other threshold would make things worse.
    if not any(mallopt(_MMAP_THRESHOLD, size) == 1 for size in (_BYTES, 32 << 20)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _BYTES) == 1)
