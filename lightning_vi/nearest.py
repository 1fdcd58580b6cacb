"""The nearest valid name to a mistyped one."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that looks most like the name, whatever the case, or none if none does."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    matches = get_close_matches(name.casefold(), folded, n=1)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """` Did you mean 'candidate'?`, or nothing if no candidate is near."""
    match = nearest(name, candidates)
    return "" if match is None else f" Did you mean '{match}'?"
