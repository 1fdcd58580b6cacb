"""The command `lightning-vi compare`: checkpoints on one test split, in one table."""

import json
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

from lightning_vi import checkpoints, comparison, named_classes, named_configs, short_names, tensor_file, user_errors
from lightning_vi.building import MISTAKES
from lightning_vi.comparison import Row
from lightning_vi.datamodules.own_data import OwnData
from lightning_vi.datamodules.shifted import unshifted
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.loading import load
from lightning_vi.modules import SupervisedModule
from lightning_vi.modules.supervised import Batch
from lightning_vi.options import parsed
from lightning_vi.quiet import quiet


def run(arguments: Sequence[str]) -> None:
    """Run the command.

    Args:
        arguments: Those behind `compare`.

    Raises:
        UserError: for a mistake in the arguments, a checkpoint that predicts no targets, or different test splits.
    """
    options = parsed(parser(), arguments)
    if not options.checkpoints:
        raise UserError("compare needs checkpoints, e.g. runs/NAME/version_0/checkpoints/last.ckpt.")
    if options.draws is not None:
        require_at_least("compare", 1, draws=options.draws)
    short_names.install()
    named_classes.install()
    with quiet():
        rows, title = _rows([Path(each) for each in options.checkpoints], options.config, options.draws)
    comparison.show(title, rows)
    folder = Path(options.out)
    try:
        comparison.write(title, rows, folder)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}.") from error
    print(f"  also in {folder / 'compare.csv'} and {folder / 'compare.md'}")


def _rows(paths: Sequence[Path], config: str | None, draws: int | None) -> tuple[list[Row], str]:
    """The rows of the table, and its title."""
    rows: list[Row] = []
    tests: dict[str, tuple[str, list[Batch]]] = {}
    for path in paths:
        module = _model(path)
        file = _config_of_run(path) if config is None else named_configs.find(config)
        settings, states = _data_settings(file), _states(path)
        key = json.dumps([settings, [each["learned"] for each in states.values()]], default=str)
        if key not in tests:
            tests[key] = _test_split(settings, file, states)
            _require_same(tests[key][1], next(iter(tests.values()))[1], path, paths[0])
        name, batches = tests[key]
        shape = tuple(batches[0][0].shape[1:])
        if shape != module.input_shape:
            raise UserError(f"{path} takes inputs of shape {module.input_shape}, but those of {file} have {shape}.")
        for way in comparison.ways(module, draws):
            scores, networks = comparison.scored(module, batches, way)
            drawn = str(way) if module.can_draw else ""
            rows.append(Row(_name(path), path, type(module).__name__, drawn, networks, scores))
    examples = sum(len(inputs) for inputs, _ in batches)
    return rows, f"{name}, {examples:,} test examples"


def _model(path: Path) -> SupervisedModule:
    module = load(path, SupervisedModule)  # type: ignore[type-abstract]  # which is not called
    return module.to("cuda" if torch.cuda.is_available() else "cpu")


def _config_of_run(path: Path) -> Path:
    """The configuration that `fit` has left in the run's folder, above that of its checkpoints."""
    file = path.parent.parent / "config.yaml"
    if not file.is_file():
        raise UserError(f"{path}: there is no {file}, which says what data the run has. Give --config NAME.yaml.")
    return file


def _data_settings(file: Path) -> object:
    content = named_configs.read(file)
    if not isinstance(content, dict) or "data" not in content:
        raise UserError(f"{file}: it has no 'data'. Give the config.yaml of a run's folder, or another with data.")
    return content["data"]


def _states(path: Path) -> dict[str, dict[str, Any]]:
    """Of the datamodules that a checkpoint keeps by their classes' names, those that have learned from their files."""
    if path.suffix == tensor_file.SUFFIX:  # holds the model alone
        return {}
    found = checkpoints.read(path)
    return {name: each for name, each in found.items() if isinstance(each, dict) and "learned" in each}


def _test_split(settings: object, file: Path, states: Mapping[str, dict[str, Any]]) -> tuple[str, list[Batch]]:
    """The name of the data, and all batches of the test split; files are read as those of the training were."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    try:
        data = parser.instantiate(parser.parse_object({"data": settings}))["data"]
        own = unshifted(data)
        if isinstance(own, OwnData) and type(own).__qualname__ in states:
            own.load_state_dict(states[type(own).__qualname__])
        data.prepare_data()
        data.setup("test")
        batches = [(inputs, targets) for inputs, targets in data.test_dataloader()]
    except ArgumentError as error:
        raise UserError(f"{file}: {user_errors.explain(str(error), parser)}") from error
    except MISTAKES as error:
        # What a constructor raises is the cause of what jsonargparse raises.
        raise UserError(f"{file}: {user_errors.shorten(str(error.__cause__ or error))}") from error
    if not batches:
        raise UserError(f"{file}: {type(data).__name__} has no test split.")
    return type(data).__name__, batches


def _require_same(test: list[Batch], other: list[Batch], path: Path, first: Path) -> None:
    """Refuse to compare on other targets; inputs may be scaled as each model has them."""
    mine, theirs = (torch.cat([targets for _, targets in each]) for each in (test, other))
    if not torch.equal(mine, theirs):
        raise UserError(
            f"{path} and {first} have different test splits, by the config.yaml of their runs. Compare models on the "
            "same one, or give --config NAME.yaml for all."
        )


def _name(path: Path) -> str:
    """`NAME/version_0` for the last checkpoint of a run, else the file too."""
    folder = path.absolute().parent
    if folder.name != "checkpoints":
        return str(path)
    run = "/".join(folder.parent.parts[-2:])
    return run if path.name == "last.ckpt" else f"{run}/{path.name}"


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi compare",
        description="Score the models of checkpoints on the test split, side by side, with how uncertain they are: a "
        "row for each with as many draws as its tests take, and one for the mean of its weights.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoints", type=str, nargs="*", default=[], help="Checkpoints of `lightning-vi fit`.")
    parser.add_argument(
        "-c",
        "--config",
        type=str | None,
        default=None,
        help="Configuration whose data are the test for all; by default each has those of its own run's config.yaml.",
    )
    parser.add_argument(
        "--draws",
        type=int | None,
        default=None,
        help="Number of draws of all models that can draw, networks with dropout too; by default each model's own.",
    )
    parser.add_argument("--out", type=str, default="compare", help="Folder of compare.csv and compare.md.")
    return parser
