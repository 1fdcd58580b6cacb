"""The command `lightning-vi completion`: a script by which a shell completes commands, options and their values."""

from collections.abc import Mapping, Sequence
from typing import Literal

from jsonargparse import ArgumentParser

from lightning_vi import __version__, export_command, named_configs, sample_command, schema_command
from lightning_vi.cli import Description, NamedConfigFile
from lightning_vi.options import parsed
from lightning_vi.table import command as table

SHELLS = ("bash", "zsh", "tcsh")

CONFIGS = f"{NamedConfigFile.complete['bash']}() {{ compgen -W '{{names}}' -- \"$1\"; compgen -f -- \"$1\"; }}"
"""What bash completes `--config` with: packaged configurations and files."""


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
    whole = ArgumentParser(prog="lightning-vi", version=__version__)
    commands = whole.add_subcommands()
    own = {"table": table, "sample": sample_command, "export": export_command, "schema": schema_command}
    for name, each in {**parsers, **{name: module.parser() for name, module in own.items()}, "completion": parser()}.items():
        commands.add_subcommand(name, each)
    preambles = [CONFIGS.replace("{names}", " ".join(named_configs.packaged()))] if shell == "bash" else []
    return whole.get_completion_script(f"shtab-{shell}", preambles=preambles)
