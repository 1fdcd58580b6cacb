"""Configurations by name: `bbb_mnist.yaml` is the file of that name here, else the packaged one."""

from importlib.resources import files
from pathlib import Path

from lightning_vi.errors import UserError
from lightning_vi.nearest import did_you_mean

DEFAULTS = "trainer.yaml"
"""The packaged configuration that every command starts from."""


def packaged() -> dict[str, Path]:
    """The packaged configurations by name, sorted."""
    folder = Path(str(files("lightning_vi.configs")))
    return {path.name: path for path in sorted(folder.glob("*.yaml"))}


def description(path: Path) -> str:
    """What a configuration says of itself: its first line, a comment."""
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def find(name: str) -> Path:
    """The file that a name given to `--config` means.

    Raises:
        UserError: if there is neither a file of that name nor a packaged configuration.
    """
    path = Path(name)
    if path.is_file():
        return path
    configs = packaged()
    if name in configs:
        return configs[name]
    if path.is_dir():
        raise UserError(f"--config {name}: this is a folder, not a file.")
    # A file that was named with its folder is looked for beside its like, a bare name among the packaged too.
    bare = path.parent == Path()
    siblings = sorted(str(file) for file in path.parent.glob("*.yaml"))
    candidates = [*siblings, *configs] if bare else siblings
    packaged_too = " and no packaged configuration has that name" if bare else ""
    hint = did_you_mean(name, candidates) or f" Packaged: {', '.join(configs)}."
    raise UserError(f"--config {name}: no such file{packaged_too}.{hint}")
