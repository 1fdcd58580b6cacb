"""The command `lightning-vi table`: trains what a table still lacks, and reports all of it."""

import signal
import sys
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from filelock import FileLock, Timeout
from jsonargparse import ArgumentParser, Namespace

from lightning_vi import named_configs, user_errors
from lightning_vi.errors import UserError
from lightning_vi.options import parsed
from lightning_vi.table import grouping, processes, ray_workers, report, rows
from lightning_vi.table.progress import Watch
from lightning_vi.table.rows import Table
from lightning_vi.table.runs import RUNS, Run, runs_of, stored_runs
from lightning_vi.table.workers import State, work


def run(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Those behind `table`.

    Returns:
        The exit code: 0, 1 if a run has failed, 128 and the number of the signal that has ended it.

    Raises:
        UserError: for a mistake in the arguments or in the table's file.
    """
    options = parsed(parser(), arguments)
    if not options.epochs_scale > 0:
        raise UserError(f"--epochs-scale (={options.epochs_scale}) must be positive.")
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers (={options.workers}) must be at least 1.")
    if options.retries < 0:
        raise UserError(f"--retries (={options.retries}) must be at least 0.")
    if options.report and (options.rows or options.seeds or options.seeds_together):
        raise UserError("--report reports all that is stored: leave out --rows, --seeds and --seeds-together.")
    whole = read(options.config)
    if options.epochs_scale != 1:
        whole = _scaled(whole, options.epochs_scale)
    report.columns(whole)  # which it refuses if they contradict each other
    results = Path(options.results)
    if options.report:
        _report(whole, results, options)
        return 0

    runs = runs_of(rows.select(whole, options.rows, options.seeds), options.epochs_scale)
    start = ray_workers.cluster if options.engine == "ray" else processes.local
    scores = [name for name in (whole.metric, whole.validation, *whole.scores) if name is not None]
    try:
        with _alone(RUNS / whole.name):
            if options.seeds_together:
                runs = _together(runs, results / "runs")
            with (
                start(runs, options.workers) as engine,
                _terminated_as_interrupted(),  # after Ray, which has a handler of its own
                Watch(runs, engine.workers) as watch,
            ):
                state = work(runs, results / "runs", scores, engine, options.retries, watch)
    except Interrupted as interruption:
        print("lightning-vi: interrupted. The same command goes on where it was.", file=sys.stderr)
        return 128 + interruption.signal
    _tell_failures(state)
    _report(whole, results, options)
    return 1 if state.failed else 0


def _together(runs: Sequence[Run], folder: Path) -> list[Run]:
    obstacles = grouping.obstacles(runs)
    for name, reason in obstacles.items():
        print(f"lightning-vi: the seeds of row '{name}' are trained one by one: {reason}", file=sys.stderr)
    return grouping.together(runs, obstacles, folder)


def _scaled(table: Table, epochs_scale: float) -> Table:
    """A table whose runs are shorter or longer: they are others, and so are its files."""
    suffix = f"-x{epochs_scale:g}"
    figure = table.figure and replace(table.figure, file=f"{Path(table.figure.file).stem}{suffix}.png")
    protocol = f"{table.protocol} x {epochs_scale:g}".strip()
    return replace(table, name=f"{table.name}{suffix}", protocol=protocol, figure=figure)


def read(name: str) -> Table:
    """The table that a file or a packaged configuration describes.

    Raises:
        UserError: if there is no such file, or if it does not describe a table.
    """
    content = named_configs.read(named_configs.find(name))
    if not isinstance(content, dict):
        raise UserError(f"{name}: the file must describe a table: name, title, metric, rows.")
    if "model" in content:
        raise UserError(f"{name}: this is the configuration of one run, not a table. Use it so: fit --config {name}")
    of_file = parser_of_files()
    try:
        settings = of_file.instantiate(of_file.parse_object(content))
    except ArgumentError as error:
        raise UserError(f"{name}: {user_errors.explain(str(error), of_file)}") from error
    try:
        return rows.complete(Table(**settings.as_dict()))
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def parser_of_files() -> ArgumentParser:
    """The parser of the files that describe a table."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Table, as_positional=False)
    return parser


def parser() -> ArgumentParser:
    """The parser of the command."""
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
    parser.add_argument(
        "--workers", type=int, default=None, help="How many runs at a time; unless given, as many as there are cores."
    )
    parser.add_argument(
        "--engine",
        type=Literal["local", "ray"],
        default="local",
        help="Where they run: processes of this machine, or the Ray cluster that it belongs to.",
    )
    parser.add_argument(
        "--seeds-together",
        "--seeds_together",
        action="store_true",
        help="Train consecutive seeds of a row as one ensemble, where that gives each the same figures.",
    )
    parser.add_argument(
        "--retries", type=int, default=1, help="How often a run that fails goes on from its last checkpoint."
    )
    parser.add_argument(
        "--epochs-scale", "--epochs_scale", type=float, default=1.0, help="Factor of all numbers of epochs."
    )
    parser.add_argument("--results", type=str, default="results", help="Folder of the results and reports.")
    parser.add_argument("--report", action="store_true", help="Report what is there, and run nothing.")
    return parser


def _report(table: Table, results: Path, options: Namespace) -> None:
    """Report all stored runs of the whole table, whatever part of it was run now."""
    stored = {row.name: stored_runs(table, row, results / "runs", options.epochs_scale) for row in table.rows}
    report.show(table, stored)
    scale = "" if options.epochs_scale == 1 else f" --epochs-scale {options.epochs_scale:g}"
    # Nobody else has the folder of a file.
    command = f"lightning-vi table --config {Path(options.config).name}{scale}"
    print(f"Written: {', '.join(map(str, report.write(table, stored, command, results)))}")


def _tell_failures(state: State) -> None:
    for runs, what in (
        (state.split, "of several seeds went one by one"),
        (state.retried, "failed and went on from its last checkpoint"),
        (state.failed, "failed"),
    ):
        if runs:
            print(f"lightning-vi: {len(runs)} run{'s' if len(runs) > 1 else ''} {what}:", file=sys.stderr)
            for run, reason in runs:
                print(f"  {run.label}: {reason} ({run.log})", file=sys.stderr)
    if state.failed:
        print("Start the command again to repeat them.", file=sys.stderr)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A context in which no other process trains the same table here."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError(f"{folder}: another `lightning-vi table` is at work there.") from error


class Interrupted(BaseException):
    """The process has been asked to end.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A context in which SIGTERM and Ctrl-C raise :class:`Interrupted`, so that the runs end with the command."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
