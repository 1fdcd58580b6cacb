"""The command `lightning-vi completion`: a script by which a shell completes commands, options and their values.

`shtab` writes it from a plain parser. jsonargparse could hand `shtab` its own, and adds the arguments of all classes
that any argument may be, and theirs: with PyTorch's classes that does not come to an end. Here the arguments of models
and data are options, and no deeper ones.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import shtab
from jsonargparse import ArgumentParser

from lightning_vi import (
    __version__,
    compare_command,
    export_command,
    named_configs,
    sample_command,
    schema_command,
    short_names,
)
from lightning_vi.cli import Description
from lightning_vi.demo import command as demo_command
from lightning_vi.options import parsed
from lightning_vi.table import command as table
from lightning_vi.user_errors import parser_of

SHELLS = ("bash", "zsh", "tcsh")
CONFIGS = {**shtab.FILE, "bash": "_lightning_vi_configs"}
PREAMBLE = f'{CONFIGS["bash"]}() {{ compgen -W \'{" ".join(named_configs.packaged())}\' -- "$1"; compgen -f -- "$1"; }}'
"""What bash completes `--config` with: packaged configurations and files; other shells complete files."""


def run(arguments: Sequence[str]) -> None:
    """Run the command.

    Args:
        arguments: Those behind `completion`.

    Raises:
        UserError: for a mistake in the arguments.
    """
    shell = parsed(parser(), arguments).shell
    Description(lambda parsers: _script(parsers, shell))


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi completion",
        description="Print a script that makes a shell complete commands, options and their values.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("shell", type=Literal[SHELLS], nargs="?", default="bash", help="By default bash.")
    return parser


def _script(parsers: Mapping[str, ArgumentParser], shell: str) -> str:
    whole = argparse.ArgumentParser(prog="lightning-vi")
    whole.add_argument("--version", action="version", version=__version__)
    commands = whole.add_subparsers()
    own = {
        "table": table,
        "compare": compare_command,
        "sample": sample_command,
        "demo": demo_command,
        "export": export_command,
        "schema": schema_command,
    }
    of_commands = {**parsers, **{name: module.parser() for name, module in own.items()}, "completion": parser()}
    for name, each in of_commands.items():
        plain = commands.add_parser(name, help=each.description)  # shtab leaves out one without
        for names, kind in _options(each).items():
            action = plain.add_argument(*names, choices=_values(kind) or None)
            if "--config" in names:
                action.complete = CONFIGS  # type: ignore[attr-defined]  # what shtab looks for
    script: str = shtab.complete(whole, shell, preamble=PREAMBLE if shell == "bash" else "")
    return script


def _options(parser: ArgumentParser) -> dict[tuple[str, ...], Any]:
    """Names of what can be given, with its type; of a class also what those of this package are made of."""
    options: dict[tuple[str, ...], Any] = {}
    for action in parser._actions:
        kind = getattr(action, "_typehint", None)
        if action.dest != "help" and action.help != argparse.SUPPRESS:
            options[tuple(action.option_strings) or (action.dest,)] = kind
        if action.dest in ("model", "data"):
            for path in short_names.class_paths(kind):
                if path.startswith("lightning_vi."):
                    of_class = {(f"--{action.dest}.{each.dest}",): each for each in parser_of(path)._actions}
                    options |= {name: getattr(each, "_typehint", None) for name, each in of_class.items()}
    return options


def _values(kind: Any) -> list[str]:
    """What an option of a type may be, as far as that can be listed: words, and short names of classes."""
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    if kind is bool:
        return ["true", "false"]
    if isinstance(kind, type):
        of_classes = (path for path in short_names.class_paths(kind) if path.startswith(short_names.PRECEDENCE))
        return sorted({path.rpartition(".")[2] for path in of_classes})
    return [value for each in get_args(kind) for value in _values(each)]
