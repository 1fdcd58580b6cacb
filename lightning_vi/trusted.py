"""Which classes a checkpoint may name for its model to be rebuilt.

Rebuilding calls what stands in the checkpoint's hyperparameters. So nothing may stand there but classes that this
package, PyTorch or an installed plug-in has: no function, and no module that would have to be imported first, since
importing runs code too.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points

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
    package = name.partition(".")[0]
    plugins = {entry.value.partition(":")[0].partition(".")[0] for entry in entry_points(group=GROUP)}
    return package in {*PACKAGES, *plugins} or (package == "torch" and issubclass(found, BASES))
