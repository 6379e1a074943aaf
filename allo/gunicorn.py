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
    """Accepts a connection only when one of its threads is free. Otherwise the worker that wakes
    first accepts all connections of a burst, and the others stay idle."""

    @property
    def worker_connections(self) -> int:
        """How many connections it may have now; gunicorn's loop checks this before it accepts."""
        quiet = len(self.keepalived_conns) + len(self.pending_conns)
        return min(int(self.cfg.worker_connections), quiet + int(self.cfg.threads))

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        """Ignored: `cfg` has the limit."""


# For requests that never reach the shop; also in the live server.
logging.getLogger("gunicorn.error").addFilter(OneLine())

wsgi_app = "allo.wsgi:application"
bind = address(os.environ.get("PORT") or "8000")
worker_class = BalancedWorker
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 16)
# Safe, as no connection is opened before the fork: the pool opens with the first query.
preload_app = True
keepalive = 15
# What is chosen in a list of the admin, and where one goes back to, stand in addresses.
limit_request_line = 8190
graceful_timeout = 3
# Seconds without a heartbeat of the worker's loop, after which it is killed. Long requests do not
# count.
timeout = 10
# gunicorn's socket would be in the home folder, where two shops of one account would share it.
control_socket_disable = True
# The heartbeat is a file. On a disk, another program's slow fsync could stall it.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def on_starting(server: Any) -> None:
    """Warns when HOST is public: each slow client occupies one of few threads. A proxy in front
    buffers whole requests before it passes them on."""
    if not is_loopback(os.environ.get("HOST") or "127.0.0.1"):
        server.log.warning(
            "HOST lets other machines connect. Never let the internet do so without a proxy in"
            " front, such as allo/deploy/nginx.conf: some tens of slow clients would stop the shop."
        )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def pre_fork(_server: Any, _worker: Any) -> None:
    """Exempts all loaded modules from garbage collection, which would pause all threads of a worker
    for tens of milliseconds, and copy memory that is shared with the master."""
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Ends workers when the master is killed: their busy threads would keep them alive."""
    die_with_parent(signal.SIGKILL)
