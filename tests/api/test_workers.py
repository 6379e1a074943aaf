"""The web server's processes share a burst of connections, and serve the first first."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.api.http import Crowd, Stock, reserving, somebody_sits_on
from tests.running import PATIENCE, Shop, parent_of, processes_of, wait_for

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


def test_workers_share_a_burst_of_requests(shop: Shop, stock: Stock) -> None:
    master, stuck = shop.child("allo.gunicorn "), stock.of(32)
    workers = [pid for pid in processes_of(shop.state) if parent_of(pid) == master]
    with Crowd(shop, 32) as crowd, somebody_sits_on(shop, stock.row_id(stuck)):
        crowd.send([reserving(stuck)] * 32)
        wait_for(lambda: sum(connections(pid, shop.port) for pid in workers) >= 32)
        # Some more than its threads: the shop asks itself whether it runs.
        assert max(connections(pid, shop.port) for pid in workers) < 20


HEAD = b"POST /api/reservations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UNFINISHED = {
    "nothing": b"",
    "a letter": b"G",
    "half a head": HEAD,
    "half a body": HEAD + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_connections_that_finish_no_request_keep_nobody_out(shop: Shop, sent: bytes) -> None:
    with Crowd(shop, 200) as crowd:
        crowd.send([sent] * 200)
        # With a thread for each that has begun, or 5 s for 16 that have not, this would wait.
        with socket.create_connection(("127.0.0.1", shop.port), timeout=15) as somebody:
            somebody.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert somebody.recv(12) == b"HTTP/1.1 200"


def test_a_request_in_pieces_is_answered_when_its_last_has_come(shop: Shop, stock: Stock) -> None:
    whole = reserving(stock.of(1))
    with socket.create_connection(("127.0.0.1", shop.port), timeout=15) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(whole)):
            client.sendall(whole[at : at + 1])
        assert client.recv(12) == b"HTTP/1.1 201"


def test_those_with_something_at_stake_pass_those_who_arrived_before(
    shop: Shop, stock: Stock
) -> None:
    stuck, arrivals = stock.of(5), 200
    with Crowd(shop, arrivals) as crowd, Crowd(shop, 1) as staff:
        (last,) = staff.sockets
        with answers([*crowd.sockets, last]) as answered:
            with somebody_sits_on(shop, stock.row_id(stuck)):
                crowd.send([reserving(stuck)] * arrivals)
                staff.send([b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
            before = next(n for n, it in enumerate(answered) if it is last)
    # At most those who had a thread already, and those who got one meanwhile.
    assert before < arrivals / 2


@contextmanager
def answers(sockets: list[socket.socket]) -> Iterator[Iterator[socket.socket]]:
    """In the order in which they come from now on: of those that are there, none would be first."""
    with selectors.DefaultSelector() as waiting:
        for each in sockets:
            waiting.register(each, selectors.EVENT_READ, each)
        yield _as_they_come(waiting)


def _as_they_come(waiting: selectors.BaseSelector) -> Iterator[socket.socket]:
    while events := waiting.select(PATIENCE):
        for key, _ in events:
            waiting.unregister(key.fileobj)
            yield key.data
