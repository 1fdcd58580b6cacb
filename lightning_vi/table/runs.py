"""A row with a seed: its settings, its files, and the command that trains it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

import lightning_vi
from lightning_vi import named_configs
from lightning_vi.errors import UserError
from lightning_vi.table import stored
from lightning_vi.table.rows import Row, Table
from lightning_vi.table.stored import Result

RUNS = Path("runs")
"""Where `fit` puts its runs."""


@dataclass(frozen=True)
class Run:
    """One training of a row.

    Args:
        table: Name of its table.
        row: What is trained.
        seed: Its seed.
        epochs_scale: Factor of the number of epochs.
    """

    table: str
    row: Row
    seed: int
    epochs_scale: float = 1.0

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What is trained, by the names that the options have on the command line, e.g. `model.optimizer.lr`.

        Raises:
            UserError: if a configuration is not there or cannot be read, or if its number of epochs is not known.
        """
        settings: dict[str, Any] = {}
        for content in (*map(_content, self.row.configs), self.row.options):
            settings |= _flat(content)
        settings.pop("name", None)  # says nothing of the training
        epochs = settings.get("trainer.max_epochs", _flat(_content(named_configs.DEFAULTS))["trainer.max_epochs"])
        if not isinstance(epochs, int) or epochs < 1:
            raise UserError(f"{self.row.name}: trainer.max_epochs (={epochs}) of a table's row must be positive.")
        settings["trainer.max_epochs"] = max(1, round(epochs * self.epochs_scale))
        return settings

    @cached_property
    def config(self) -> str:
        """Hash of the settings; neither comments nor the order of keys matter."""
        text = json.dumps(self.settings, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def epochs(self) -> int:
        """Number of epochs to train."""
        epochs: int = self.settings["trainer.max_epochs"]
        return epochs

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.row.name} seed {self.seed}"

    @property
    def folder(self) -> Path:
        """The folder of the run's versions: one for every time that it was started."""
        return RUNS / self.table / f"{self.row.name}-seed{self.seed}-{self.config}"

    @property
    def log(self) -> Path:
        """What its process has printed."""
        return self.folder / "log.txt"

    def arguments(self) -> list[str]:
        """Arguments of `lightning-vi` that start the run, or go on with it from its last checkpoint."""
        configs = [f"--config={name}" for name in self.row.configs]
        given = {**self.row.options, "trainer.max_epochs": self.epochs}
        options = [f"--{name}={_text(value)}" for name, value in given.items()]
        name = self.folder.relative_to(RUNS).as_posix()
        resume = ["--ckpt_path=last"] if any(self.folder.glob("*/checkpoints/last.ckpt")) else []
        return ["fit", *configs, *options, f"--seed_everything={self.seed}", f"--name={name}", *resume]

    def finished(self) -> dict[str, Any] | None:
        """What `fit` has left of the run as data, if it has come to its end."""
        files = sorted(self.folder.glob("*/results.json"), key=lambda path: path.stat().st_mtime)
        content = json.loads(files[-1].read_text(encoding="utf-8")) if files else None
        return content if isinstance(content, dict) else None

    def result(self, folder: Path) -> Result | None:
        """Its stored result in a folder, if there is one.

        Raises:
            UserError: if the file that should hold it does not.
        """
        path = folder / stored.file_name(self.row.name, self.seed, self.config)
        return stored.read(path) if path.is_file() else None

    def store(self, folder: Path) -> Result | None:
        """Store what the finished run has left; None if it has not come to its end."""
        content = self.finished()
        if content is None:
            return None
        result = Result(
            row=self.row.name,
            seed=self.seed,
            config=self.config,
            settings=self.settings,
            scores={name: _rounded(value) for name, value in content["scores"].items()},
            curves={
                name: {int(epoch): _rounded(value) for epoch, value in curve.items()}
                for name, curve in content["curves"].items()
            },
            epochs=content["epochs"],
            weights=content["weights"],
            minutes=_rounded(content["seconds"] / 60),
            device=content["device"],
            commit=commit(),
        )
        stored.write(result, folder)
        return result


def runs_of(table: Table, epochs_scale: float = 1.0) -> list[Run]:
    """All runs of a table: the first seed of every row, then the second of every row, and so on.

    So a table that is interrupted has something of every row.
    """
    depth = max(len(row.seeds) for row in table.rows)
    return [
        Run(table.name, row, row.seeds[turn], epochs_scale)
        for turn in range(depth)
        for row in table.rows
        if turn < len(row.seeds)
    ]


@lru_cache
def commit() -> str:
    """The commit of this package's source, marked if its files differ; its version where it has no repository."""
    package = Path(lightning_vi.__file__).parent
    sources = [str(package), *(str((package / name).resolve()) for name in ("callbacks", "datamodules", "configs"))]
    git = ["git", "-C", str(package)]
    head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return lightning_vi.__version__
    differs = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *sources], check=False).returncode != 0
    return f"{head.stdout.strip()}{'-dirty' if differs else ''}"


def python() -> list[str]:
    """The command that runs `lightning-vi` so that it does not outlive the process that has started it."""
    return [sys.executable, "-m", "lightning_vi.table.child"]


def _content(name: str) -> Mapping[str, Any]:
    path = named_configs.find(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: not valid YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{name}: the file must be a mapping of options.")
    return content


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by the names of their options; that of an object is its class."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = prefix if key in ("class_path", "init_args") else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return flat


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
