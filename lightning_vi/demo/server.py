"""Serves the page, until Ctrl-C."""

import socket
import webbrowser
from ipaddress import ip_address

import gradio
import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lightning_vi.demo.look import CSS, theme
from lightning_vi.errors import UserError

PATIENCE = 1
"""Seconds for open connections at the end: a page that is open in a browser keeps one for ever."""


def serve(page: gradio.Blocks, listening: socket.socket, browser: bool) -> None:
    """Print the page's address and answer there.

    Args:
        page: The page.
        listening: See :func:`bound`.
        browser: Whether to open the page.
    """
    host, port = listening.getsockname()[:2]
    api = FastAPI()
    if ip_address(host).is_loopback and ":" not in host:  # which the middleware cannot read from an address
        # A website whose name has been made to mean this machine could ask the page for all that it tells.
        api.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", host])
    # Else Gradio copies whatever file of this machine a request names to where it can be fetched: it asks whether a
    # file has been uploaded only behind its own `launch`.
    page.has_launched = True
    # Without Node, which Gradio would start where it is installed.
    app = gradio.mount_gradio_app(api, page, "/", theme=theme(), css=CSS, footer_links=[], ssr_mode=False)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
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

    Args:
        host: Address to bind to.
        port: Its port; 0 for any that is free.

    Raises:
        UserError: If it cannot, e.g. since the port is taken.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # the address, which stands in the message
        raise UserError(f"--host {host} --port {port}: {reason}. Choose another, or --port 0 for any.") from error
