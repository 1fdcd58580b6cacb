"""The command `lightning-vi schema`: the JSON schema of configurations."""

import json
from collections.abc import Sequence
from typing import Literal

from jsonargparse import ArgumentParser

from lightning_vi import config_schema
from lightning_vi.cli import METHODS, Description
from lightning_vi.options import parsed
from lightning_vi.table import command as table

COMMANDS = (*METHODS, "table")
"""Those that read configurations."""


def run(arguments: Sequence[str]) -> None:
    """Run the command.

    Args:
        arguments: Those behind `schema`.

    Raises:
        UserError: for a mistake in the arguments.
    """
    command = parsed(parser(), arguments).command
    if command == "table":
        print(_text(table.parser_of_files()))
    else:
        Description(lambda parsers: _text(parsers[command]))


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi schema",
        description="Print the JSON schema of a command's configurations, for editors.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        type=Literal[COMMANDS],
        nargs="?",
        default="fit",
        help="Whose configurations; by default those of fit.",
    )
    return parser


def _text(parser: ArgumentParser) -> str:
    return json.dumps(config_schema.schema(parser), indent=1)
