"""Packages of others that add classes to the command line, through the entry-point group `lightning_vi.plugins`.

A plug-in's entry point names a module. Importing it defines the classes, and so gives them short names.
"""

from importlib.metadata import entry_points

from lightning_vi.errors import UserError

GROUP = "lightning_vi.plugins"


def load() -> None:
    """Import all installed plug-ins.

    Raises:
        UserError: if one cannot be imported.
    """
    for plugin in entry_points(group=GROUP):
        try:
            plugin.load()
        except Exception as error:
            package = "" if plugin.dist is None else f" of {plugin.dist.name}"
            raise UserError(
                f"plug-in '{plugin.name}'{package} ({plugin.value}) cannot be imported: "
                f"{type(error).__name__}: {error}. Mend or uninstall it."
            ) from error
