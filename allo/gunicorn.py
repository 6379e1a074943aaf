"""The web server's configuration: `gunicorn --config python:allo.gunicorn`."""

import gc
import logging
import os
import signal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from allo.embedded.processes import die_with_parent
from allo.logs import OneLine


def address(port: str) -> str:
    host = os.environ.get("HOST") or "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class BalancedWorker(ThreadWorker):  # type: ignore[misc]  # it has no types
    """Accepts a connection only when a thread of its own is free to serve it. Without that the
    worker that wakes first takes all that come at once, and the others stand idle."""

    @property
    def worker_connections(self) -> int:
        """How many it may have just now: what its loop asks before it accepts."""
        quiet = len(self.keepalived_conns) + len(self.pending_conns)
        return min(int(self.cfg.worker_connections), quiet + int(self.cfg.threads))

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        """`cfg` says it."""


# Of requests that never reach the shop; the live server's, too.
logging.getLogger("gunicorn.error").addFilter(OneLine())

wsgi_app = "allo.wsgi:application"
bind = address(os.environ.get("PORT") or "8000")
worker_class = BalancedWorker
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 16)
# Safe, as no connection is opened before the fork: the pool comes to life with the first query.
preload_app = True
keepalive = 15
# What is chosen in a list of the admin, and where one goes back to, stand in addresses.
limit_request_line = 8190
graceful_timeout = 3
# A worker whose loop stood still for so long is ended; how long its requests take is no matter.
timeout = 10
# It would open one in the home folder, which two shops of one person would share.
control_socket_disable = True
# The heartbeat is a file; on a disk, a slow fsync of another program could stall it.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def on_starting(server: Any) -> None:
    """A thread waits for each client that is slow to send, and there are few: a proxy in front
    takes in whole requests, at any pace, before it passes them on."""
    if not is_loopback(os.environ.get("HOST") or "127.0.0.1"):
        server.log.warning(
            "HOST lets other machines connect. Never let the internet do so without a proxy in"
            " front, such as allo/nginx.conf: some tens of slow clients would stop the shop."
        )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def pre_fork(_server: Any, _worker: Any) -> None:
    """What is loaded by now stays: no collection of garbage has to walk it, which would stop all
    threads of a worker for tens of milliseconds, and unshare its memory."""
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Leave no worker behind when the master is killed: busy threads would keep one alive."""
    die_with_parent(signal.SIGKILL)
