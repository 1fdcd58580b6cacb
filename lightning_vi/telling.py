"""Who tells a mistake where several processes, one for each device, have made it."""

import os
import time

GRACE = 10.0
"""Seconds that a process waits for the first one to end."""

PARENT = os.getppid()
"""The process that has started this one: with several devices the first one, or `torchrun`."""


def told_by_first_process() -> bool:
    """Whether this is not the machine's first process of a run, and that one ends too: then it has told the mistake.

    If it goes on, the mistake is this process's own, e.g. a file that only this one cannot read. (`torchrun` ends all
    its processes when one has ended.)
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        return False
    end = time.monotonic() + GRACE
    while os.getppid() == PARENT:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
