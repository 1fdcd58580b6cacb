"""What a command line prints that ends well."""

import io
from contextlib import redirect_stdout

from lightning_vi.__main__ import main


def printed(*arguments: str) -> str:
    """Run it in this process; its standard output."""
    out = io.StringIO()
    code: object = None
    with redirect_stdout(out):
        try:
            code = main(list(arguments))
        except SystemExit as end:  # of `--print_config`
            code = end.code
    assert code == 0
    return out.getvalue()
