"""The one exception that is shown to a user as a plain line."""


class UserError(ValueError):
    """A mistake that only the user can mend; its text names the value, the constraint and the remedy.

    The command line prints the text without a traceback and exits with code 2.
    """
