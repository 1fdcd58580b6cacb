"""A row with a seed, or with several: its settings, its files, and the command that trains it."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from lightning_vi import named_configs
from lightning_vi.errors import UserError
from lightning_vi.settings import flat
from lightning_vi.table import ensembles, stored
from lightning_vi.table.rows import Row, Table
from lightning_vi.table.stored import Result

RUNS = Path("runs")
"""Where `fit` puts its runs."""

_EPOCHS, _VALIDATION = "trainer.max_epochs", "trainer.check_val_every_n_epoch"


@dataclass(frozen=True)
class Run:
    """One training of a row.

    Args:
        table: Name of its table.
        row: What is trained.
        seed: Its seed.
        epochs_scale: Factor of the number of epochs, and of that between two validations.
        members: Number of seeds, from `seed` on, that it trains as one ensemble, see `lightning_vi.table.ensembles`.
    """

    table: str
    row: Row
    seed: int
    epochs_scale: float = 1.0
    members: int = 1

    @cached_property
    def contents(self) -> list[Mapping[str, Any]]:
        """What the row's configurations hold; read once, so that all that depends on them agrees.

        Raises:
            UserError: if a configuration is not there or cannot be read.
        """
        try:
            return [_content(named_configs.find(name)) for name in self.row.configs]
        except UserError as error:
            raise UserError(f"{self.table}: row '{self.row.name}': {error}") from error

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What is trained, by the names that the options have on the command line, e.g. `model.optimizer.lr`.

        Raises:
            UserError: if they cannot be had, or are not those of a run to its final epoch.
        """
        settings: dict[str, Any] = {}
        for content in (*self.contents, self.row.options):
            for name, value in flat(content).items():
                # Such lists add to what is there.
                settings[name] = [*settings.get(name, []), *value] if name.endswith("+") else value
        settings.pop("name", None)  # says nothing of the training
        defaults = flat(_content(named_configs.packaged()[named_configs.DEFAULTS]))
        epochs = settings.setdefault(_EPOCHS, defaults[_EPOCHS])
        if not isinstance(epochs, int) or epochs < 1:
            raise UserError(f"{self.row.name}: {_EPOCHS} (={epochs}) of a table's row must be positive.")
        if settings.get("test_checkpoint", "last") != "last":
            raise UserError(f"{self.row.name}: test_checkpoint must be last: a table reports the final epoch.")
        for name in (_EPOCHS, _VALIDATION) if self.epochs_scale != 1 else ():
            if name in settings:
                settings[name] = max(1, round(settings[name] * self.epochs_scale))
        return settings

    @cached_property
    def config(self) -> str:
        """Hash of the settings; neither comments nor the order of keys matter."""
        text = json.dumps(self.settings, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def epochs(self) -> int:
        """Number of epochs to train."""
        epochs: int = self.settings[_EPOCHS]
        return epochs

    @property
    def gpus(self) -> int:
        """How many GPUs it asks for: `trainer.devices` if `trainer.accelerator` is gpu or cuda, else none.

        Raises:
            UserError: if it names GPUs instead, which are not its own to choose where runs share them.
        """
        if self.settings.get("trainer.accelerator") not in ("gpu", "cuda"):
            return 0
        devices = self.settings.get("trainer.devices", "auto")
        if devices == "auto":
            return 1
        if not isinstance(devices, int) or devices < 1:
            raise UserError(
                f"{self.table}: row '{self.row.name}': trainer.devices (={devices}) must be a number of GPUs."
            )
        return devices

    @property
    def seeds(self) -> range:
        """All its seeds."""
        return range(self.seed, self.seed + self.members)

    def single(self) -> list[Self]:
        """The runs of its seeds one by one."""
        return [replace(self, seed=seed, members=1) for seed in self.seeds]

    @property
    def label(self) -> str:
        """What messages call it."""
        seeds = f"seeds {self.seed} to {self.seeds[-1]}" if self.members > 1 else f"seed {self.seed}"
        return f"{self.row.name} {seeds}"

    @property
    def folder(self) -> Path:
        """The folder of the run's versions: one for every time that it was started."""
        seeds = f"seeds{self.seed}to{self.seeds[-1]}" if self.members > 1 else f"seed{self.seed}"
        return RUNS / self.table / f"{self.row.name}-{seeds}-{self.config}"

    @property
    def log(self) -> Path:
        """What its process has printed."""
        return self.folder / "log.txt"

    def prepare(self) -> list[str]:
        """Arguments of `lightning-vi` that start the run, or go on with it from its last checkpoint."""
        name = self.folder.relative_to(RUNS).as_posix()
        resume = ["--ckpt_path=last"] if any(self.folder.glob("*/checkpoints/last.ckpt")) else []
        recipe = self._recipe() if self.members == 1 else _options(ensembles.settings(self.settings, self.members))
        return ["fit", *recipe, f"--seed_everything={self.seed}", f"--name={name}", *resume]

    def _recipe(self) -> list[str]:
        """The row's configurations and options.

        The arguments name copies of the configurations, which may be edited while the run waits for its turn.
        """
        configs = []
        for number, content in enumerate(self.contents):
            copy = self.folder / f"config_{number}.yaml"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
            configs.append(f"--config={copy.as_posix()}")
        scaled = {name: self.settings[name] for name in (_EPOCHS, _VALIDATION) if name in self.settings}
        return [*configs, *_options({**self.row.options, **scaled})]

    def finished(self) -> Any:
        """What `fit` has left of the run as data, if it has come to its end; None if it has not.

        Raises:
            Exception: one of `stored.MALFORMED`, if the file is not JSON.
        """
        files = {
            int(path.parent.name.removeprefix("version_")): path for path in self.folder.glob("version_*/results.json")
        }
        if not files:
            return None
        return json.loads(files[max(files)].read_text(encoding="utf-8"))

    def results(self, folder: Path) -> list[Result]:
        """The stored results of its seeds in a folder, if all are there.

        Raises:
            UserError: if a file that should hold one does not.
        """
        paths = [folder / stored.file_name(self.row.name, seed, self.config) for seed in self.seeds]
        return [stored.read(path) for path in paths] if all(path.is_file() for path in paths) else []

    def store(self, folder: Path) -> list[Result]:
        """Store what the finished run has left of each seed; nothing if it has not come to its end.

        Nor has a run whose file is damaged: it goes on from its last checkpoint, and is tested again.
        """
        try:
            content = self.finished()
            if content is None:
                return []
            contents = [content]
            if self.members > 1:
                contents = [ensembles.member(content, number, self.members) for number in range(self.members)]
            results = [self._result(seed, each) for seed, each in zip(self.seeds, contents, strict=True)]
        except stored.MALFORMED:
            return []
        for result in results:
            stored.write(result, folder)
        return results

    def _result(self, seed: int, content: Mapping[str, Any]) -> Result:
        return stored.result_of(
            {
                "row": self.row.name,
                "seed": seed,
                "config": self.config,
                "settings": self.settings,
                "scores": {name: _rounded(value) for name, value in content["scores"].items()},
                "curves": {
                    name: {epoch: _rounded(value) for epoch, value in curve.items()}
                    for name, curve in content["curves"].items()
                },
                "epochs": content["epochs"],
                "weights": content["weights"],
                "minutes": _rounded(content["seconds"] / 60),
                "device": content["device"],
                "commit": content["commit"],
                "together": self.members,
            }
        )


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


def stored_runs(table: Table, row: Row, folder: Path, epochs_scale: float = 1.0) -> list[Result]:
    """All stored results of a row that have the table's metric, by seed, also of seeds that it does not name."""
    config = Run(table.name, row, row.seeds[0], epochs_scale).config
    results = [stored.read(path) for path in folder.glob(stored.file_name(row.name, "*", config))]
    return sorted((each for each in results if table.metric in each.scores), key=lambda result: result.seed)


def python() -> list[str]:
    """The command that runs `lightning-vi` so that it does not outlive the process that has started it."""
    return [sys.executable, "-m", "lightning_vi.table.child"]


def _content(path: Path) -> Mapping[str, Any]:
    content = named_configs.read(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: the file must be a mapping of options.")
    return content


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _options(settings: Mapping[str, Any]) -> list[str]:
    return [f"--{name}={_text(value)}" for name, value in settings.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
