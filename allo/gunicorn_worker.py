"""The web server's workers: those with something at stake do not wait behind new arrivals.

When thousands come to an opening, those who hold something, and pay while the hold lasts, would
stand behind all of them: the kernel hands connections over in the order in which they came. So a
worker accepts connections before it has threads for them, looks at how each request begins without
taking it from the connection, and lets some go first. A forged cookie gains a place in front of
other arrivals, and nothing else.
"""

import re
import selectors
import socket
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable
from enum import IntEnum
from functools import partial
from itertools import takewhile
from mmap import mmap
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# Acts on what one holds, ordered or pays; what staff do; and those who ask whether the shop runs.
FIRST_PATHS = (
    rb"checkout/|orders/|payments/|api/reservations/[0-9a-f]|p/[^/ ]+/enter/|admin/"
    rb"|livez|readyz|metrics"
)
# Set as long as a browser holds something, and when its turn came in a waiting room.
FIRST_COOKIES = rb"allo_holds=[^;\s]|allo_ticket_"
FIRST = re.compile(
    rb"[A-Z]+ /(?:%b)|[^\r]*\r\n(?:[^\r]+\r\n)*?cookie:[^\r]*(?:%b)" % (FIRST_PATHS, FIRST_COOKIES),
    re.IGNORECASE,
)
# Takes a place in a waiting room, whose order does not depend on who gets a thread sooner.
ARRIVES = re.compile(rb"[A-Z]+ /p/[^/ ]+/wait/", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)
# What is looked at before a request gets a thread. Most forms and calls of the API are shorter.
HEAD_BYTES = 16_384
# While one of the first is served, so many others have a thread, if they wait. More would slow it
# down, as threads share one interpreter; with fewer, the first would shut them out.
BESIDE_FIRST = 2
# Arrivals that have a thread at once. They hardly wait for anything but the interpreter, so more
# would finish no sooner, and keep it from one of the first that comes meanwhile.
ARRIVING = 2
# While one of the first is served, one arrival gets a thread after so many seconds without any.
ARRIVAL_PAUSE = 0.05
# A new connection counts as a request for so long. Later it costs nothing until its request comes:
# otherwise some tens of connections that send nothing would keep everybody out.
AWAITED_SECONDS = 0.05
# Workers at once, also while a new set takes over from an old one; more would share the last place.
MOST_WORKERS = 64
# The load of a place without a worker: more than any worker has.
NO_WORKER = 2**31 - 1

# How many requests each worker has, running and waiting. Shared with the workers, which are forked
# later.
loads = memoryview(mmap(-1, 4 * MOST_WORKERS)).cast("i")
loads[:] = memoryview(array("i", [NO_WORKER] * MOST_WORKERS))


class Rank(IntEnum):
    """The order in which requests get threads."""

    FIRST = 0
    OTHER = 1
    ARRIVAL = 2

    @classmethod
    def of(cls, head: bytes) -> "Rank":
        """Of the request that begins so."""
        if FIRST.match(head):
            return cls.FIRST
        return cls.ARRIVAL if ARRIVES.match(head) else cls.OTHER


class Line:
    """The connections with a request: those that wait for a thread, and those that have one."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        # Never all that the process has.
        self._kept = min(BESIDE_FIRST, threads // 2)
        self._waiting: dict[Rank, deque[TConn]] = {rank: deque() for rank in Rank}
        self._running: dict[TConn, Rank] = {}
        self._of: Counter[Rank] = Counter()
        self._last_arrival = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values())) + len(self._running)

    @property
    def has_arrivals(self) -> bool:
        """Whether some wait, who may have to start without any event of the worker's loop."""
        return bool(self._waiting[Rank.ARRIVAL])

    def add(self, conn: TConn, rank: Rank) -> None:
        self._waiting[rank].append(conn)

    def start(self) -> TConn | None:
        """The next that gets a thread; None if none can now."""
        if len(self._running) == self._threads:
            return None
        keeps = len(self._running) - self._of[Rank.FIRST] < self._kept
        for rank in reversed(Rank) if keeps else Rank:
            if self._waiting[rank] and self._may(rank):
                conn = self._waiting[rank].popleft()
                self._running[conn] = rank
                self._of[rank] += 1
                return conn
        return None

    def finish(self, conn: TConn) -> None:
        self._of[self._running.pop(conn)] -= 1

    def _may(self, rank: Rank) -> bool:
        first = self._of[Rank.FIRST]
        if rank is Rank.ARRIVAL:
            return self._may_arrive(beside_first=bool(first))
        beside = rank is Rank.OTHER and first > 0
        return not beside or len(self._running) - first < BESIDE_FIRST

    def _may_arrive(self, *, beside_first: bool) -> bool:
        now, arriving = time.monotonic(), self._of[Rank.ARRIVAL]
        paused = beside_first and (arriving or now - self._last_arrival < ARRIVAL_PAUSE)
        if paused or arriving >= ARRIVING:
            return False
        self._last_arrival = now
        return True


class Worker(ThreadWorker):  # type: ignore[misc]  # it has no types
    # Its index in `loads`.
    place: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line = Line(self.cfg.threads)

    @property
    def worker_connections(self) -> int:
        """How many connections it may have now; gunicorn's loop checks this before it accepts.

        While another worker has a free thread, no more than it has threads itself: otherwise the
        worker that wakes first accepts all connections of a burst, and the others stay idle.
        """
        threads = int(self.cfg.threads)
        others = loads.tolist()
        others[self.place] = NO_WORKER
        least = min(others)
        most = threads if least < threads else least + threads
        quiet = len(self.keepalived_conns) + len(self.pending_conns) - self._awaited()
        return min(int(self.cfg.worker_connections), quiet + most)

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        """Ignored: `cfg` has the limit."""

    def accept(self, listener: Any) -> None:
        """All that it may have: in a busy process the loop comes round too rarely for one each."""
        while self.nr_conns < self.worker_connections:
            before = self.nr_conns
            super().accept(listener)
            if self.nr_conns == before:
                return

    def enqueue_req(self, conn: TConn) -> None:
        """Into the line; until its request is there, a connection waits without a thread."""
        head = _beginning(conn)
        if head is None:
            return self._wait_for_request(conn)
        conn.data_ready = True
        # It has ended if no more came than it had before.
        has_ended = len(head) < getattr(conn, "least_bytes", 1)
        if not may_start(head) and not has_ended:
            _await_bytes(conn, len(head) + 1)
            return self._wait_for_request(conn)
        _await_bytes(conn, 1)
        self._line.add(conn, Rank.of(head))
        return self._start()

    def finish_request(self, conn: TConn, fs: Any) -> None:
        self._line.finish(conn)
        super().finish_request(conn, fs)
        self._start()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Not longer than until it may accept again, or until an arrival may start."""
        is_free = self._accepting and not self._line.has_arrivals
        super().wait_for_and_dispatch_events(timeout if is_free else AWAITED_SECONDS)
        self._start()

    def _wait_for_request(self, conn: TConn) -> None:
        """As gunicorn does after a thread has waited for it in vain."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _awaited(self) -> int:
        """The connections that a request may come on any moment now."""
        since = time.monotonic() + self.cfg.keepalive - AWAITED_SECONDS
        recent = takewhile(lambda conn: conn.timeout > since, reversed(self.pending_conns))
        return sum(not conn.data_ready for conn in recent)

    def _start(self) -> None:
        while conn := self._line.start():
            super().enqueue_req(conn)
        loads[self.place] = len(self._line)


def _beginning(conn: TConn) -> bytes | None:
    """The request's first bytes, which stay on the connection; None if there are none yet. Empty if
    the connection has ended, or gunicorn has read them already."""
    if conn.parser and conn.parser.unreader.buf.getvalue():
        return b""
    try:
        return bytes(conn.sock.recv(HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _await_bytes(conn: TConn, least: int) -> None:
    """The connection is readable when it has so many bytes, or has ended."""
    conn.least_bytes = least
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)


def may_start(head: bytes) -> bool:
    """Whether the request may get a thread: all of it is here, or only a thread can read the rest,
    a body beyond `HEAD_BYTES`, of unknown length, or sent after "100 Continue"."""
    if not head or len(head) == HEAD_BYTES:
        return True
    end = head.find(b"\r\n\r\n") + 4
    if end < 4:
        return False
    length = LENGTH.search(head, 0, end)
    return not length or bool(EXPECTS.search(head, 0, end)) or len(head) >= end + int(length[1])


def place_of(workers: Iterable[Any]) -> int:
    """The lowest that no running worker has."""
    taken = {worker.place for worker in workers}
    return next((place for place in range(MOST_WORKERS) if place not in taken), MOST_WORKERS - 1)
