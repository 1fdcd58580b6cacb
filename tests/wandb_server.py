"""A server that answers as much of Weights & Biases' protocol as a run needs, until it is told to fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import yaml

KEY = "0" * 40
"""What looks like an account's key."""


class Server(ThreadingHTTPServer):
    """A server.

    Attributes:
        fails: How it answers from now on, if not as it should.
        asked: The paths asked for so far.
        sweep: The sweep that it has been given, as YAML.
        handed_out: Options of the one run that it tells an agent to start.
    """

    fails: Literal["no", "hangs", "500", "401"] = "no"
    sweep = ""
    handed_out: dict[str, Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.handed_out = {}
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: the client leaves when it likes."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes W&B ask this server."""
        return {
            "WANDB_BASE_URL": f"http://127.0.0.1:{self.server_port}",
            "WANDB_API_KEY": KEY,
            "WANDB_MODE": "online",
            "WANDB_ERROR_REPORTING": "false",
        }


@contextmanager
def serving() -> Iterator[Server]:
    """A context in which a server runs."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers a request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Something empty."""
        self.answer({})

    def do_PUT(self) -> None:
        """Take a file."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({})

    def do_POST(self) -> None:
        """Take a query of GraphQL, or lines of a file."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"data": self.result(json.loads(body))} if self.path == "/graphql" else {})

    def result(self, request: dict[str, Any]) -> dict[str, Any]:
        """Of a query: the run, the user, or where to put files."""
        query, variables = request["query"], request.get("variables") or {}
        if "upsertBucket" in query:
            project = {"id": "p", "name": "lightning-vi", "entity": {"id": "e", "name": "me"}}
            bucket = {"id": "b", "name": variables["name"], "displayName": "run", "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": {**bucket, "historyLineCount": 0}, "inserted": True}}
        if "createRunFiles" in query:
            where = f"http://{self.headers['Host']}/files"
            files = [{"name": name, "uploadUrl": f"{where}/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if "upsertSweep" in query:
            self.server.sweep = variables["config"]
            project = {"id": "p", "name": "lightning-vi", "entity": {"id": "e", "name": "me"}}
            return {"upsertSweep": {"sweep": {"name": "sweep", "project": project}, "configValidationWarnings": []}}
        if "createAgent" in query:
            return {"createAgent": {"agent": {"id": "a"}}}
        if "agentHeartbeat" in query:
            return {"agentHeartbeat": {"agent": {"id": "a"}, "commands": json.dumps(self.commands())}}
        if "sweep(" in query:
            sweep = {"id": "s", "name": "sweep", "state": "RUNNING", "config": self.server.sweep}
            return {"project": {"sweep": {**sweep, "runs": {"edges": []}}}}
        if "viewer" in query:
            return {"viewer": {"id": "u", "username": "me", "entity": "me", "flags": "{}", "teams": {"edges": []}}}
        return {"model": {"bucket": None}, "project": None}

    def commands(self) -> list[dict[str, Any]]:
        """What an agent is to do: start the run, if it has not been told before."""
        chosen, self.server.handed_out = self.server.handed_out, {}
        arguments = {name: {"value": value} for name, value in chosen.items()}
        program = yaml.safe_load(self.server.sweep)["program"]
        return [{"type": "run", "run_id": "r", "program": program, "args": arguments}] if arguments else []

    def answer(self, body: dict[str, Any]) -> None:
        """Send it, or fail."""
        self.server.asked.append(self.path)
        if self.server.fails == "hangs":
            self.server.closing.wait()
            self.close_connection = True
            return
        data = json.dumps(body).encode()
        self.send_response(200 if self.server.fails == "no" else int(self.server.fails))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
