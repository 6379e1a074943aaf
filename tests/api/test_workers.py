"""The web server's processes share a burst of connections."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.api.http import Crowd
from tests.running import Shop, parent_of, processes_of, wait_for

pytestmark = pytest.mark.race


def connections(pid: int, port: int) -> int:
    """The established connections to this port that the process has accepted."""
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    inodes = {f[9] for f in lines if f[3] == "01" and f[1].endswith(f":{port:04X}")}
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(file.readlink()).removeprefix("socket:[").removesuffix("]") in inodes
    return found


def test_no_worker_accepts_connections_beyond_its_free_threads(shop: Shop) -> None:
    master = shop.child("allo.gunicorn ")
    workers = [pid for pid in processes_of(shop.state) if parent_of(pid) == master]
    with Crowd(shop, 32):
        wait_for(lambda: sum(connections(pid, shop.port) for pid in workers) == 32, seconds=5)
        assert [connections(pid, shop.port) for pid in workers] == [16, 16]
