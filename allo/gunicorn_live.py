"""The live server's configuration: `gunicorn --config python:allo.gunicorn_live`."""

import asyncio
import os
import signal
import socket
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from allo.gunicorn import (
    address,
    control_socket_disable,
    forwarder_headers,
    post_fork,
    raise_open_files,
    timeout,
    worker_tmp_dir,
)

__all__ = [
    "control_socket_disable",
    "forwarder_headers",
    "post_fork",
    "timeout",
    "worker_tmp_dir",
]

wsgi_app = "allo.asgi:application"
bind = address(os.environ.get("LIVE_PORT") or "8001")
worker_class = "asgi"
workers = 1
worker_connections = 100_000
asgi_loop = "asyncio"
asgi_lifespan = "on"
# After a disconnect there is nothing left to do.
asgi_disconnect_grace_period = 0
# A connection carries one stream and closes with it.
keepalive = 0
graceful_timeout = 2
limit_request_line = 8190
backlog = 4096
# The kernel's send buffer for a client that does not read, and how long a client that vanished is
# kept.
SEND_BUFFER_BYTES = 16_384
SILENT_MS = 30_000
# The time limit for a request to arrive; the bytes read at once; the bytes after a request that are
# buffered before reading stops.
REQUEST_SECONDS = 10
READ_BYTES, KEPT_BYTES = 16_384, 4096


class Protocol(ASGIProtocol):  # type: ignore[misc]  # it has no types
    """gunicorn's protocol waits for a request without a time limit, and buffers a quarter of a
    megabyte after one."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._max_buffer_size = KEPT_BYTES

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]
        self._deadline = self.worker.loop.call_later(REQUEST_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self._current_request is None:
            self.transport.close()


def on_starting(_server: Any) -> None:
    raise_open_files()


def when_ready(server: Any) -> None:
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)


def post_worker_init(worker: Any) -> None:
    """Streams do not end by themselves, so they are closed when the worker stops."""
    # gunicorn has no setting for this.
    gasgi.ASGIProtocol = Protocol

    def stop() -> None:
        worker.asgi.stop()
        worker.handle_exit_signal()

    worker.loop.add_signal_handler(signal.SIGTERM, stop)
