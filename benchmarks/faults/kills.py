"""Runs that are killed at random and resumed end as the run that is left alone, to the bit."""

from collections.abc import Callable


def cases() -> dict[str, Callable[[int], None]]:
    """What is killed, by name."""
    return {}
