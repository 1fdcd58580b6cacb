"""Priors by the names of parameters."""

import re
from collections.abc import Mapping

import torch

from lightning_vi.errors import UserError
from lightning_vi.priors.prior import Prior
from lightning_vi.priors.rule import PriorRule


class ByName(PriorRule):
    """Each parameter has the prior of the first pattern that matches its full name.

    Args:
        priors: Regular expressions, each with a prior or another rule; `.*` at the end takes the rest.

    Raises:
        UserError: For a pattern that is none, here; for one that is the first of no parameter, or a parameter that
            none matches, when a network is given.
    """

    def __init__(self, priors: dict[str, PriorRule]) -> None:
        for pattern in priors:
            try:
                re.compile(pattern)
            except re.error as error:
                raise UserError(f"ByName: priors has {pattern!r}, which is no regular expression: {error}.") from error
        self.priors = priors

    def __repr__(self) -> str:
        return f"ByName({self.priors})"

    def assign(self, shapes: Mapping[str, torch.Size]) -> dict[str, Prior]:
        """See :meth:`PriorRule.assign`."""
        groups: dict[str, dict[str, torch.Size]] = {pattern: {} for pattern in self.priors}
        for name, shape in shapes.items():
            found = next((pattern for pattern in self.priors if re.fullmatch(pattern, name)), None)
            if found is None:
                raise UserError(
                    f"ByName: priors (={', '.join(map(repr, self.priors))}) have none that matches the parameter "
                    f"{name!r}. Add '.*' as the last one."
                )
            groups[found][name] = shape
        for pattern, group in groups.items():
            if not group:
                raise UserError(
                    f"ByName: priors has {pattern!r}, which no random parameter is the first to match; there are: "
                    f"{', '.join(shapes)}. Correct it, move it up or leave it out."
                )
        return {
            name: prior
            for pattern, group in groups.items()
            for name, prior in self.priors[pattern].assign(group).items()
        }
