"""Processes that train together end together.

Lightning's launcher starts one process for each further device, and ends them all where one of these fails. Nothing
ends them where the first process itself is killed: they notice at their next message to it, which under NCCL, or while
they wait for it at the start, takes until a timeout of many minutes.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTER = "LIGHTNING_VI_STARTER"
PERIOD, GRACE = 1.0, 20.0
"""Seconds between two looks, and until a process is ended: at the end of a job the first one may be the quickest."""


@contextmanager
def ending_together() -> Iterator[None]:
    """A context in which processes started for further devices end soon after the one that has started them.

    To be entered first of all. What another launcher has started, such as torchrun, is left to that.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_STARTER] = str(os.getpid())
        try:
            yield
        finally:
            os.environ.pop(_STARTER, None)  # or what this process starts later for something else would have it
    else:
        first = starter()
        if first is not None:
            threading.Thread(target=_wait_for_end, args=(first,), daemon=True, name="starter").start()
        yield


def starter() -> int | None:
    """The process that has started this one for a further device; None if another launcher has, such as torchrun.

    It may be gone already, so that who this process's parent is does not tell.
    """
    return int(os.environ[_STARTER]) if _STARTER in os.environ else None


def _wait_for_end(first: int) -> None:
    while os.getppid() == first:
        time.sleep(PERIOD)
    time.sleep(GRACE)
    # Not an exception, which would not reach a thread that waits for a message of the dead process.
    os._exit(1)
