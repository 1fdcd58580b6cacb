"""The command `lightning-vi table`: trains what a table still lacks, and reports all of it."""

import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import yaml
from filelock import FileLock, Timeout
from jsonargparse import ArgumentParser, Namespace

from lightning_vi import named_configs, user_errors
from lightning_vi.errors import UserError
from lightning_vi.table import report, rows
from lightning_vi.table.progress import Watch
from lightning_vi.table.rows import Table
from lightning_vi.table.runs import RUNS, Run, runs_of
from lightning_vi.table.stored import Result
from lightning_vi.table.workers import State, work


def run(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Those behind `table`.

    Returns:
        The exit code: 0, or 1 if a run has failed.

    Raises:
        UserError: for a mistake in the arguments or in the table's file.
    """
    options = _options(arguments)
    if not options.epochs_scale > 0:
        raise UserError(f"--epochs-scale (={options.epochs_scale}) must be positive.")
    if options.workers < 1:
        raise UserError(f"--workers (={options.workers}) must be at least 1.")
    whole = read(options.config)
    if options.epochs_scale != 1:
        # Its runs are others, and so are its files.
        whole = replace(
            whole,
            name=f"{whole.name}-x{options.epochs_scale:g}",
            protocol=f"{whole.protocol} x {options.epochs_scale:g}".strip(),
        )
    results = Path(options.results)
    if options.report:
        _report(whole, results, options)
        return 0

    runs = runs_of(rows.select(whole, options.rows, options.seeds), options.epochs_scale)
    workers = min(options.workers, len(runs))
    with _alone(RUNS / whole.name), _terminated_as_interrupted():
        watch = Watch(runs, workers)
        try:
            state = work(runs, results / "runs", workers, max(1, (os.cpu_count() or 1) // workers), watch)
        finally:
            watch.close()
    _report(whole, results, options)
    return _tell_failed(state)


def read(name: str) -> Table:
    """The table that a file or a packaged configuration describes.

    Raises:
        UserError: if there is no such file, or if it does not describe a table.
    """
    path = named_configs.find(name)
    named_configs.require_unique_keys(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: not valid YAML: {user_errors.shorten(str(error))}") from error
    if not isinstance(content, dict):
        raise UserError(f"{name}: the file must describe a table: name, title, metric, rows.")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Table, as_positional=False)
    try:
        settings = parser.instantiate(parser.parse_object(content))
    except ArgumentError as error:
        raise UserError(f"{name}: {user_errors.explain(str(error), parser)}") from error
    return rows.complete(Table(**settings.as_dict()))


def _options(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(
        prog="lightning-vi table",
        description="Train the rows of a table over seeds, as far as their results are not there, and report them. "
        "Killed and started again it goes on where it was.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c", "--config", type=str, default="table1.yaml", help="A table's file, or the name of a packaged one."
    )
    parser.add_argument("--rows", type=str, nargs="+", default=[], help="Names of rows, or patterns as bbb-mixture-*.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[], help="Seeds in place of those of the file.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="How many runs at a time.")
    parser.add_argument(
        "--epochs-scale", "--epochs_scale", type=float, default=1.0, help="Factor of all numbers of epochs."
    )
    parser.add_argument("--results", type=str, default="results", help="Folder of the results and reports.")
    parser.add_argument("--report", action="store_true", help="Report what is there, and run nothing.")
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise UserError(user_errors.explain(str(error), parser)) from error


def _report(table: Table, results: Path, options: Namespace) -> None:
    """Report all stored runs of the whole table, whatever part of it was run now."""
    stored: dict[str, list[Result]] = {}
    for row in table.rows:
        found = (Run(table.name, row, seed, options.epochs_scale).result(results / "runs") for seed in row.seeds)
        stored[row.name] = [each for each in found if each is not None]
    scale = "" if options.epochs_scale == 1 else f" --epochs-scale {options.epochs_scale:g}"
    files = report.write(table, stored, f"lightning-vi table --config {options.config}{scale}", results)
    report.show(table, stored)
    print(f"Written: {', '.join(map(str, files))}")


def _tell_failed(state: State) -> int:
    if not state.failed:
        return 0
    print(f"lightning-vi: {len(state.failed)} run{'s' if len(state.failed) > 1 else ''} failed:", file=sys.stderr)
    for run, reason in state.failed:
        print(f"  {run.label}: {reason} ({run.log})", file=sys.stderr)
    print("Start the command again to repeat them.", file=sys.stderr)
    return 1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A context in which no other process trains the same table here."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError(f"{folder}: another `lightning-vi table` is at work there.") from error


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A context in which SIGTERM ends the process as Ctrl-C does, so that the runs end with it."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt as error:
        raise UserError("interrupted. The same command goes on where it was.") from error
    finally:
        signal.signal(signal.SIGTERM, before)
