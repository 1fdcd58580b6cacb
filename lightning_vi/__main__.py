"""The command `lightning-vi`. Answers at once what needs neither torch nor Lightning, which take seconds to import."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from lightning_vi import __version__, named_configs
from lightning_vi.allocator import keep_freed_memory
from lightning_vi.disk_errors import disk_errors_told
from lightning_vi.errors import UserError
from lightning_vi.nearest import did_you_mean
from lightning_vi.starter import ending_together
from lightning_vi.telling import told_by_first_process

COMMANDS = {
    "fit": "train, then test the final epoch's checkpoint",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
    "predict": "write a checkpoint's predictions to a file",
    "prune": "score a checkpoint against the fraction of its weights removed",
    "table": "train the rows of a table over seeds, and report them beside published figures",
    "compare": "score checkpoints on one test split, in one table, with how uncertain they are",
    "sample": "draw what a checkpoint's model makes of its prior: samples, manifold, traversals, interpolations",
    "demo": "play with checkpoints on a page: draw a digit, move latent variables, walk through a GAN's noise",
    "export": "write a checkpoint's model without any pickle: weights and settings, or the network as a program",
    "schema": "print the JSON schema of configurations, for editors",
    "completion": "print a script that makes a shell complete commands, options and values",
}


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 2 for a user's mistake, which is told in a line.

    `table` returns 1 if one of its runs has failed; what SIGTERM has ended returns 143, and what Ctrl-C has, 130.

    Any other exception passes through, since it is a bug.

    Args:
        args: the arguments; those of the process unless given.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    show_traceback = "--traceback" in arguments or os.environ.get("LIGHTNING_VI_TRACEBACK", "0") != "0"
    try:
        with ending_together(), disk_errors_told():
            return _dispatch([argument for argument in arguments if argument != "--traceback"])
    except UserError as error:
        if show_traceback:
            traceback.print_exc()
        if not told_by_first_process():
            print(f"lightning-vi: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if show_traceback:
            traceback.print_exc()
        print("lightning-vi: interrupted.", file=sys.stderr)
        return 128 + signal.SIGINT


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command in ("-h", "--help"):
        print(overview())
    elif command == "--version":
        print(f"lightning-vi {__version__}")
    elif command == "table":
        from lightning_vi.table import command as table

        return table.run(arguments[1:])
    elif command in COMMANDS:
        keep_freed_memory()
        # As `python -m` does, so that a configuration can name a class of a module in the current folder.
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, "")
        if command in ("compare", "sample", "export", "schema", "completion"):
            import_module(f"lightning_vi.{command}_command").run(arguments[1:])
            return 0
        if command == "demo":
            from lightning_vi.demo import command as demo

            demo.run(arguments[1:])
            return 0
        from lightning_vi import cli

        return cli.run(arguments)
    elif command.startswith("-"):
        raise UserError(f"{command}: the command comes first: {', '.join(COMMANDS)}.")
    else:
        hint = did_you_mean(command, COMMANDS) or f" Commands: {', '.join(COMMANDS)}."
        raise UserError(f"there is no command '{command}'.{hint}")
    return 0


def overview() -> str:
    """What there is: the commands, the packaged configurations, where the rest is told."""
    packaged = named_configs.packaged()
    configs = {name: named_configs.description(path) for name, path in packaged.items() if "/" not in name}
    for name in packaged:
        folder, slash, _ = name.rpartition("/")
        if slash:
            configs[f"{folder}/*.yaml"] = f"the rows of {folder}.yaml, one by one"
    return f"""\
usage: lightning-vi COMMAND --config NAME.yaml [--config OVERLAY.yaml ...] [--OPTION VALUE ...]

Commands:
{_columns(COMMANDS)}

Packaged configurations (a file of that name in the current folder wins):
{_columns(configs)}

lightning-vi COMMAND --help                      all options
lightning-vi COMMAND --model.help CLASS          options of a class
lightning-vi COMMAND --config ... --print_config the configuration that would run
lightning-vi COMMAND ... --traceback             where a mistake was noticed (or LIGHTNING_VI_TRACEBACK=1)
lightning-vi --version                           this version"""


def _columns(rows: dict[str, str]) -> str:
    width = max(map(len, rows), default=0)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())


if __name__ == "__main__":
    sys.exit(main())
