"""The command `lightning-vi demo`: a page in the browser, on which the models of checkpoints can be played with."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import ArgumentParser

from lightning_vi.demo.exhibits import exhibits
from lightning_vi.errors import UserError
from lightning_vi.options import parsed


def run(arguments: Sequence[str]) -> None:
    """Run the command until Ctrl-C ends it.

    Args:
        arguments: Those behind `demo`.

    Raises:
        UserError: for a mistake in the arguments, a checkpoint that the page cannot show, or a port that is taken.
    """
    options = parsed(parser(), arguments)
    if not options.checkpoints:
        raise UserError("demo needs checkpoints, e.g. runs/NAME/version_0/checkpoints/last.ckpt.")
    if options.draws < 2:
        raise UserError(f"--draws (={options.draws}) must be at least 2.")
    if not 0 <= options.port < 2**16:
        raise UserError(f"--port (={options.port}) must lie in [0, {2**16 - 1}].")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it is read at the import
    if find_spec("gradio") is None:
        raise UserError("demo needs Gradio: pip install 'lightning-vi[demo]'.")
    shown = exhibits([Path(path) for path in options.checkpoints])
    # Imported here: it takes seconds, and not everybody has it.
    from lightning_vi.demo import page, server

    # Gradio's own deletes what was drawn, but leaves the images that the page began with.
    with server.bound(options.host, options.port) as listening, TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        server.serve(page.page(shown, options.draws), listening, options.browser)


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi demo",
        description="Show the models of checkpoints on a page in the browser: draw a digit and see what classifiers "
        "say of it, move the latent variables of a VAE, walk through the noise of a GAN. Nothing is asked of the "
        "internet. Ctrl-C ends it.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoints", type=str, nargs="*", help="Checkpoints of `lightning-vi fit`.")
    parser.add_argument("--draws", type=int, default=50, help="Weight draws of each posterior.")
    parser.add_argument(
        "--host", type=str, default="127.0.0.1", help="Address to serve; 0.0.0.0 lets the whole network in."
    )
    parser.add_argument("--port", type=int, default=7860, help="Its port; 0 for any that is free.")
    parser.add_argument("--browser", action="store_true", help="Open the page in the default browser.")
    return parser
