"""The one exception that is shown to a user as a plain line, and the check that raises it most often."""


class UserError(ValueError):
    """A mistake that only the user can mend; its text names the value, the constraint and the remedy.

    The command line prints the text without a traceback and exits with code 2.
    """


def require_at_least(owner: str, least: int, **numbers: int) -> None:
    """Refuse numbers that are too small.

    Args:
        owner: Whose arguments they are, for the message.
        least: The smallest that is allowed.
        numbers: By name.

    Raises:
        UserError: For the first that is smaller.
    """
    for name, value in numbers.items():
        if value < least:
            raise UserError(f"{owner}: {name} (={value}) must be at least {least}.")
