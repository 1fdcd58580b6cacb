"""Runs `lightning-vi` for as long as the process lives that has started it and holds its standard input open."""

import os
import sys
import threading

from lightning_vi.__main__ import main


def _end_with_parent() -> None:
    """Wait for the other end of standard input to close, which it does however the parent ends."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would stand in the way of the interpreter's end
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main())
