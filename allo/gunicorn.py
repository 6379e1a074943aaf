"""The web server's configuration: `gunicorn --config python:allo.gunicorn`."""

import gc
import logging
import os
import resource
import signal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from allo.embedded.processes import die_with_parent
from allo.gunicorn_worker import NO_WORKER, Worker, loads, place_of
from allo.logs import OneLine


def address(port: str) -> str:
    host = os.environ.get("HOST") or "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# For requests that never reach the shop; also in the live server.
logging.getLogger("gunicorn.error").addFilter(OneLine())

wsgi_app = "allo.wsgi:application"
bind = address(os.environ.get("PORT") or "8000")
worker_class = Worker
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 16)
# Of a worker. Those beyond its threads wait in it and not in the kernel, so that it can choose who
# goes first.
worker_connections = 2000
backlog = 4096
# Safe, as no connection is opened before the fork: the pool opens with the first query.
preload_app = True
keepalive = 15
# What is chosen in a list of the admin, and where one goes back to, stand in addresses.
limit_request_line = 8190
# By default a client on this machine, such as a proxy that passes on whatever headers it gets, says
# with SCRIPT_NAME and PATH_INFO below which address the shop is.
forwarder_headers = ""
graceful_timeout = 3
# Seconds without a heartbeat of the worker's loop, after which it is killed. Long requests do not
# count.
timeout = 10
# gunicorn's socket would be in the home folder, where two shops of one account would share it.
control_socket_disable = True
# The heartbeat is a file. On a disk, another program's slow fsync could stall it.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def on_starting(server: Any) -> None:
    """Warns when HOST is public: each client that sends a long body slowly occupies one of few
    threads. A proxy in front buffers whole requests before it passes them on."""
    raise_open_files()
    if not is_loopback(os.environ.get("HOST") or "127.0.0.1"):
        server.log.warning(
            "HOST lets other machines connect. Never let the internet do so without a proxy in"
            " front, such as allo/deploy/nginx.conf: some tens of slow uploads would stop the shop."
        )


def raise_open_files() -> None:
    """To the machine's maximum: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def pre_fork(server: Any, worker: Any) -> None:
    """Exempts all loaded modules from garbage collection, which would pause all threads of a worker
    for tens of milliseconds, and copy memory that is shared with the master."""
    worker.place = place_of(server.WORKERS.values())
    loads[worker.place] = 0
    gc.freeze()


def child_exit(_server: Any, worker: Any) -> None:
    """What a worker had when it ended keeps no other from accepting."""
    loads[worker.place] = NO_WORKER


def post_fork(_server: Any, _worker: Any) -> None:
    """Ends workers when the master is killed: their busy threads would keep them alive."""
    die_with_parent(signal.SIGKILL)
