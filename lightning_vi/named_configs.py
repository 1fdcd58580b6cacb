"""Configurations by name: `bbb_mnist.yaml` is the file of that name here, else the packaged one."""

from importlib.resources import files
from pathlib import Path

import yaml

from lightning_vi.errors import UserError
from lightning_vi.nearest import nearest

UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)
"""What PyYAML raises of a file: no YAML, no text, a date that is none, more levels than it can follow."""

DEFAULTS = "trainer.yaml"
"""The packaged configuration that every command starts from."""


def packaged() -> dict[str, Path]:
    """The packaged configurations by name, e.g. `bbb_mnist.yaml` or `table1/sgd_400.yaml`, sorted."""
    folder = Path(str(files("lightning_vi.configs")))
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


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
    # The suffix, which they share, would make any two names alike.
    here = {str(path.with_suffix("")): str(path) for path in path.parent.glob("*.yaml")}
    candidates = {**{each.removesuffix(".yaml"): each for each in configs}, **here}
    near = nearest(name.removesuffix(".yaml"), candidates)
    top = ", ".join(each for each in configs if "/" not in each)
    hint = f"Packaged: {top}." if near is None else f"Did you mean '{candidates[near]}'?"
    raise UserError(f"--config {name}: no such file and no packaged configuration has that name. {hint}")


def read(path: Path) -> object:
    """What a configuration holds, usually a mapping.

    Raises:
        UserError: if it is not valid YAML, or gives an option twice.
    """
    require_unique_keys(path)
    try:
        content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UNREADABLE as error:
        raise UserError(f"{path}: not valid YAML: {str(error).splitlines()[0]}. Correct it.") from error
    return content


def is_table(path: Path) -> bool:
    """Whether a file describes a table of runs, not a run."""
    node = _composed(path)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {"metric", "rows"} <= {key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode)}


def require_unique_keys(path: Path) -> None:
    """Refuse a file that gives an option twice, of which YAML's reader would silently take the last.

    Raises:
        UserError: if it does, or if its options cannot be walked through.
    """
    try:
        _require_unique_keys(_composed(path), path)
    except RecursionError as error:
        raise UserError(f"{path}: its options are nested too deeply. Correct it.") from error


def _composed(path: Path) -> yaml.Node | None:
    """The tree of a file; None if it cannot be read at all, which the parser tells."""
    try:
        return yaml.compose(path.read_text(encoding="utf-8"))
    except UNREADABLE:
        return None


def _require_unique_keys(node: yaml.Node | None, path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{path}: line {key.start_mark.line + 1}: the name of an option must be a word.")
            if key.value in keys:
                raise UserError(f"{path}: line {key.start_mark.line + 1}: '{key.value}' is given twice.")
            keys.add(key.value)
            _require_unique_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _require_unique_keys(item, path)
