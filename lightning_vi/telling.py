"""Who tells a mistake where several processes, one for each device, have made it."""

import os
import time

from lightning_vi.starter import starter

GRACE = 10.0
"""Seconds that a process waits for the first one to end."""


def told_by_first_process() -> bool:
    """Whether this is not the machine's first process of a run, and that one ends too: then it has told the mistake.

    If it goes on, the mistake is this process's own, e.g. a file that only this one cannot read. (`torchrun` ends all
    its processes when one has ended.)
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        return False
    first = starter() or os.getppid()
    end = time.monotonic() + GRACE
    while os.getppid() == first:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
