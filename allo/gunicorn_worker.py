"""The web server's workers: who has something at stake does not wait behind who only arrives.

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
from collections import deque
from collections.abc import Iterable
from functools import partial
from itertools import takewhile
from mmap import mmap
from typing import Any

from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, TConn, ThreadWorker

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
HEAD_BYTES = 16_384
# While one of the first is served, no other gets a thread if so many have one. More would slow it
# down, as the threads of a process share one interpreter; none would let the first shut them out.
BESIDE_FIRST = 2
# Workers at once, also while a new set takes over from an old one; more would share the last place.
MOST_WORKERS = 64
# More than any worker has.
NOBODY = 2**31 - 1

# How many requests each worker has, running and waiting. Shared with the workers, which are forked
# later.
loads = memoryview(mmap(-1, 4 * MOST_WORKERS)).cast("i")
loads[:] = memoryview(array("i", [NOBODY] * MOST_WORKERS))


class Line:
    """The connections with a request: those that wait for a thread, and those that have one."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._first: deque[TConn] = deque()
        self._others: deque[TConn] = deque()
        # Whether each connection that has a thread is one of the first.
        self._running: dict[TConn, bool] = {}

    def __len__(self) -> int:
        return len(self._first) + len(self._others) + len(self._running)

    def add(self, conn: TConn, *, is_first: bool) -> None:
        (self._first if is_first else self._others).append(conn)

    def start(self) -> TConn | None:
        """The next that gets a thread; None if none can now."""
        if len(self._running) == self._threads:
            return None
        if is_first := bool(self._first):
            conn = self._first.popleft()
        elif self._others and self._others_may():
            conn = self._others.popleft()
        else:
            return None
        self._running[conn] = is_first
        return conn

    def finish(self, conn: TConn) -> None:
        del self._running[conn]

    def _others_may(self) -> bool:
        first = sum(self._running.values())
        return not first or len(self._running) - first < BESIDE_FIRST


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
        self._line.add(conn, is_first=bool(FIRST.match(head)))
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
        since = time.monotonic() + self.cfg.keepalive - DEFAULT_WORKER_DATA_TIMEOUT
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
