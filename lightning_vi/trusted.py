"""Which classes a checkpoint may name for its model to be rebuilt.

Rebuilding calls what stands in the checkpoint's hyperparameters. So nothing may stand there but classes that this
package, PyTorch or an installed plug-in has: no function, and no module that would have to be imported first, since
importing runs code too.

Names that stand there as they are can be checked before; but jsonargparse also takes a text for YAML, and for the path
of a file of YAML, with names in them. So it is watched as well, while it builds.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

from jsonargparse import _actions, _typehints
from jsonargparse._util import import_object
from torch import nn, optim

from lightning_vi.errors import UserError
from lightning_vi.plugins import GROUP

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
PACKAGES = ("lightning_vi",)
BASES = (nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler)
"""Of PyTorch, only classes derived from these."""


INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""What Lightning's command line has written into the checkpoint to rebuild its model."""


def require_trusted(settings: object) -> None:
    """Refuse hyperparameters that name anything else.

    Args:
        settings: As a checkpoint holds them, mappings and lists of plain values.

    Raises:
        UserError: naming the first such name.
    """
    for name in _names(settings):
        _require(name)


@contextmanager
def watched() -> Iterator[None]:
    """A context in which jsonargparse finds trusted classes alone; it has no hook for that: its function is replaced.

    Raises:
        UserError: See `require_trusted`; jsonargparse may make an error of its own of it.
    """

    def found(name: str, *args: Any, **kwargs: Any) -> Any:
        _require(name)
        return import_object(name, *args, **kwargs)

    _replace(found)
    try:
        yield
    finally:
        _replace(import_object)


def _replace(function: Callable[..., Any]) -> None:
    for module in (_actions, _typehints):
        setattr(module, import_object.__name__, function)


def _require(name: str) -> None:
    if not _is_trusted(name):
        raise UserError(
            f"it names '{name}', which is no class of lightning_vi, of PyTorch's networks and optimizers, or of an "
            "installed plug-in; it is not called."
        )


def _names(settings: object) -> Iterator[str]:
    """All dotted names, wherever they stand; jsonargparse may take any of them for a class."""
    if isinstance(settings, str):
        if DOTTED.fullmatch(settings):
            yield settings
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from _names(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _names(value)


def _is_trusted(name: str) -> bool:
    if name == INSTANTIATOR:
        return True
    module_name, _, attribute = name.rpartition(".")
    found = vars(sys.modules[module_name]).get(attribute) if module_name in sys.modules else None
    if not isinstance(found, type):
        return False
    package = found.__module__.partition(".")[0]  # of modules here, too, whatever they import has a name
    plugins = {entry.value.partition(":")[0].partition(".")[0] for entry in entry_points(group=GROUP)}
    return package in {*PACKAGES, *plugins} or (package == "torch" and issubclass(found, BASES))
