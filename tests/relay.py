"""What Sentry's protocol calls a relay: a server that takes reports of errors."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import brotli

UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress}


class Relay(ThreadingHTTPServer):
    """Of envelopes with one event each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies: list[str] = []
        self.sent: list[str] = []  # headers too

    @property
    def dsn(self) -> str:
        return f"http://public@127.0.0.1:{self.server_address[1]}/7"

    def events(self) -> list[dict[str, Any]]:
        """That have come so far."""
        return [json.loads(body.splitlines()[2]) for body in [*self.bodies]]


class Taking(BaseHTTPRequestHandler):
    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = UNPACK[self.headers["Content-Encoding"]](body).decode()
        self.server.bodies.append(text)
        self.server.sent.append(f"{self.path}\n{self.headers}\n{text}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def relaying() -> Iterator[Relay]:
    with Relay() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
