"""Settings by the names that they have on the command line."""

from collections.abc import Mapping
from typing import Any


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted names, e.g. `model.optimizer.lr`; that of an object itself is its class."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        parts = [prefix] if key in ("class_path", "init_args") else [prefix, str(key)]
        name = ".".join(filter(None, parts))
        values |= flat(value, name) if isinstance(value, Mapping) else {name: value}
    return values
