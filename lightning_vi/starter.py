"""Processes that train together end together.

Lightning's launcher starts one process for each further device, and ends them all where one of these fails. Nothing
ends them where the first process itself is killed: they notice at their next message to it, which under NCCL, or while
they wait for it at the start, takes until a timeout of many minutes.
"""

import os
import threading
import time

_STARTER = "LIGHTNING_VI_STARTER"
PERIOD, GRACE = 1.0, 20.0
"""Seconds between two looks, and until a process is ended: at the end of a job the first one may be the quickest."""


def end_with_starter() -> None:
    """Let this process end soon after the one that has started it, if that was for another device.

    To be called first of all. A process that another launcher has started, such as torchrun's, is left to that.
    """
    starter = os.environ.get(_STARTER)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_STARTER] = str(os.getpid())  # for those that it starts
    elif starter == str(os.getppid()):
        threading.Thread(target=_wait_for_end, args=(int(starter),), daemon=True, name="starter").start()


def _wait_for_end(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(PERIOD)
    time.sleep(GRACE)
    # Not an exception, which would not reach a thread that waits for a message of the dead process.
    os._exit(1)
