"""The web server's workers: who has something at stake does not wait behind who only arrives.

When thousands come to an opening, those who hold something, and pay while the hold lasts, would
stand behind all of them: the kernel hands connections over in the order in which they came. So a
worker accepts connections before it has threads for them, looks at how each request begins without
taking it from the connection, and lets some go first. A forged cookie gains a place in front of
other arrivals, and nothing else.
"""

import math
import re
import selectors
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import partial
from itertools import takewhile
from mmap import mmap
from typing import Any, Self

from gunicorn.workers.gthread import TConn, ThreadWorker

# Acts on what one holds, ordered or pays; and a browser that holds something, or whose turn came in
# a waiting room.
HOLDER = re.compile(
    rb"[A-Z]+ /(?:checkout/|orders/|payments/|api/reservations/[0-9a-f]|p/[^/ ]+/enter/)"
    rb"|[^\r]*\r\n(?:[^\r]+\r\n)*?cookie:[^\r]*(?:allo_holds=[^;\s]|allo_ticket_)",
    re.IGNORECASE,
)
# What staff do, and those who ask whether the shop runs.
STAFF = re.compile(rb"[A-Z]+ /(?:admin/|livez|readyz|metrics)")
HEAD_BYTES = 16_384
# The threads of a process share one interpreter, so each other slows a holder down. While a holder
# is served, one other is at most, and no sooner than a pause after the one before: with none, the
# holders would shut the others out. For some seconds after a holder began, so many others are.
BESIDE, SECONDS_BESIDE, PAUSE_SECONDS = 2, 10.0, 0.05
# What takes longer waits for something else than the interpreter, and does not count.
WORKS_SECONDS = 0.1
# A new connection counts as a request for so long. Later it costs nothing until its request comes:
# otherwise some tens of connections that stay silent would keep everybody out.
AWAITED_SECONDS = 0.05
# Workers at once, also while a new set takes over from an old one; more would share the last place.
MOST_WORKERS = 64
# More than any worker has.
NOBODY = 2**31 - 1

# How many requests each worker has, running and waiting. Shared with the workers, which are forked
# later.
loads = memoryview(mmap(-1, 4 * MOST_WORKERS)).cast("i")
loads[:] = memoryview(array("i", [NOBODY] * MOST_WORKERS))


class Rank(IntEnum):
    OTHER, STAFF, HOLDER = range(3)

    @classmethod
    def of(cls, head: bytes) -> Self:
        """Of a request that begins so."""
        return cls(2 if HOLDER.match(head) else 1 if STAFF.match(head) else 0)


class Line:
    """The connections with a request: those that wait for a thread, and those that have one."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._first: deque[tuple[TConn, Rank]] = deque()
        self._others: deque[TConn] = deque()
        # With the rank of each, and the time since when it has its thread.
        self._running: dict[TConn, tuple[Rank, float]] = {}
        # When the last one of a rank got a thread.
        self._last = dict.fromkeys(Rank, -math.inf)

    def __len__(self) -> int:
        return self.waiting + len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._first) + len(self._others)

    def add(self, conn: TConn, rank: Rank) -> None:
        if rank is Rank.OTHER:
            self._others.append(conn)
        else:
            self._first.append((conn, rank))

    def start(self) -> TConn | None:
        """The next that gets a thread; None if none can now."""
        if len(self._running) == self._threads:
            return None
        if self._first:
            conn, rank = self._first.popleft()
        elif self._others and self._another_may():
            conn, rank = self._others.popleft(), Rank.OTHER
        else:
            return None
        self._last[rank] = now = self._clock()
        self._running[conn] = rank, now
        return conn

    def finish(self, conn: TConn) -> None:
        del self._running[conn]

    def _another_may(self) -> bool:
        now = self._clock()
        running = self._running.values()
        at_work = sum(not rank and since > now - WORKS_SECONDS for rank, since in running)
        if any(rank is Rank.HOLDER for rank, _ in running):
            return not at_work and self._last[Rank.OTHER] <= now - PAUSE_SECONDS
        return at_work < BESIDE or self._last[Rank.HOLDER] < now - SECONDS_BESIDE


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
        others[self.place] = NOBODY
        least = min(others)
        most = threads if least < threads else least + threads
        quiet = len(self.keepalived_conns) + len(self.pending_conns) - self._awaited()
        return min(int(self.cfg.worker_connections), quiet + most)

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        """Ignored: `cfg` has the limit."""

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Not longer than until it may accept again, or until another may get a thread."""
        is_free = self._accepting and not self._line.waiting
        super().wait_for_and_dispatch_events(timeout if is_free else AWAITED_SECONDS)
        self._start()

    def accept(self, listener: Any) -> None:
        """All that it may have: in a busy process the loop comes round too rarely for one each."""
        while self.nr_conns < self.worker_connections:
            before = self.nr_conns
            super().accept(listener)
            if self.nr_conns == before:
                return

    def enqueue_req(self, conn: TConn) -> None:
        """Into the line; a connection without a request yet waits without a thread."""
        head = _beginning(conn)
        if head is None:
            return self._wait_for_request(conn)
        conn.data_ready = True
        self._line.add(conn, Rank.of(head))
        return self._start()

    def finish_request(self, conn: TConn, fs: Any) -> None:
        self._line.finish(conn)
        super().finish_request(conn, fs)
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
        return sum(1 for _ in recent)

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


def place_of(workers: Iterable[Any]) -> int:
    """The lowest that no running worker has."""
    taken = {worker.place for worker in workers}
    return next((place for place in range(MOST_WORKERS) if place not in taken), MOST_WORKERS - 1)
