"""Options of a command that runs no Trainer."""

from argparse import ArgumentError
from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace

from lightning_vi import user_errors
from lightning_vi.errors import UserError


def parsed(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """What arguments mean to a parser.

    Raises:
        UserError: for a mistake in them.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise UserError(user_errors.explain(str(error), parser)) from error
