"""Serves the page, until Ctrl-C."""

import socket
import webbrowser

import gradio
import uvicorn
from fastapi import FastAPI

from lightning_vi.demo.look import CSS, theme
from lightning_vi.errors import UserError

PATIENCE = 1
"""Seconds for open connections at the end: a page that is open in a browser keeps one for ever."""


def serve(page: gradio.Blocks, host: str, port: int, browser: bool) -> None:
    """Print the page's address and answer there.

    Args:
        page: The page.
        host: Address to bind to.
        port: Its port; 0 for any that is free.
        browser: Whether to open the page.

    Raises:
        UserError: If the address cannot be bound to, e.g. since the port is taken.
    """
    # Without Node, which Gradio would start where it is installed.
    app = gradio.mount_gradio_app(FastAPI(), page, "/", theme=theme(), css=CSS, footer_links=[], ssr_mode=False)
    with bound(host, port) as listening:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        print(f"{url}  (Ctrl-C ends)", flush=True)
        if browser:
            webbrowser.open(url)
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=PATIENCE)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            print()  # behind the terminal's ^C


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        UserError: If it cannot.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"--host {host} --port {port}: {reason}. Choose another, or --port 0 for any.") from error
