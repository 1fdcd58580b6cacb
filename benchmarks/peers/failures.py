"""Peers that do not install or run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """A peer that does not install or run.

    Attributes:
        name: What failed.
        error: Its error, in one line.
    """

    name: str
    error: str


def attempt(name: str, function: Callable[[], T], failures: list[Failure]) -> T | None:
    """The function's result; or None, with its error added to the failures."""
    try:
        return function()
    except Exception as error:  # what a missing or broken package raises is not ours to know
        lines = str(error).strip().splitlines()
        failures.append(Failure(name, f"{type(error).__name__}: {lines[0] if lines else ''}"))
        return None
