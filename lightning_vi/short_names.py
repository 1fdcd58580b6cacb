"""Which class a short name means on the command line.

jsonargparse finds `class_path: MLP` among the imported subclasses of the expected type, and gives up where two
have that name: importing torchvision brings a second `MLP`, and with torch's quantised layers a second `Linear`,
`Sigmoid` and `Softmax`; Lightning has a second `ReduceLROnPlateau`. Here the first of :data:`PRECEDENCE` wins, so
that what a configuration means does not depend on what else is imported.
"""

import sys
from typing import Any

from jsonargparse import _typehints

PRECEDENCE = ("lightning_vi.", "lightning.pytorch.", "torch.nn.", "torch.optim.")
"""Packages whose classes win over those of later ones and of all others."""

_resolve = _typehints.resolve_class_path_by_name


def class_paths(expected: Any) -> list[str]:
    """Import paths of all classes, not abstract, that a value of the expected type can name."""
    return [path for path in _typehints.get_all_subclass_paths(expected) if not _is_made_in_passing(path)]


def _is_made_in_passing(path: str) -> bool:
    """Whether its module does not have the class, as with those that Lightning derives from optimizers in training."""
    module, _, name = path.rpartition(".")
    return module in sys.modules and getattr(sys.modules[module], name, None) is None


def resolve(expected: Any, name: str) -> str:
    """The import path that a name means where a type is expected; the name itself if it means none.

    Raises:
        ValueError: if several classes have the name and precedence does not tell between them.
    """
    try:
        return str(_resolve(expected, name))
    except ValueError:
        found = preferred([path for path in class_paths(expected) if path.rpartition(".")[2] == name])
        if found is None:
            raise
        return found


def preferred(namesakes: list[str]) -> str | None:
    """The import path that a name means which several classes have; None if precedence does not tell."""
    for package in PRECEDENCE:
        found = [path for path in namesakes if path.startswith(package)]
        if len(found) == 1:
            return found[0]
    return None


def install() -> None:
    """Make jsonargparse resolve names in this way; it has no hook for it, so its own function is replaced."""
    setattr(_typehints, _resolve.__name__, resolve)
