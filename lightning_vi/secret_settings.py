"""Keeps secrets out of what a run writes: settings end in `config.yaml`, in loggers and in checkpoints."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lightning_vi.errors import UserError

SECRET = re.compile(r"(.*_)?(api_?key|password|secret|token)", re.IGNORECASE)


def require_no_secret(settings: Mapping[str, Any]) -> None:
    """Refuse a configuration that holds a password or a key.

    Raises:
        UserError: naming the first such setting, and not its value.
    """
    for name in _secrets(settings, ""):
        raise UserError(
            f"{name} would be kept in config.yaml and by loggers for all to read. Leave it out; loggers take theirs "
            "from the environment (WANDB_API_KEY) or from a file of their own (`wandb login`)."
        )


def _secrets(value: object, name: str) -> Iterator[str]:
    """The dotted names of all settings that are given and named like a secret."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _secrets(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each, name)
    elif value is not None and SECRET.fullmatch(name.rpartition(".")[2]):
        yield name
