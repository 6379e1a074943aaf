"""Two web servers and two live processes behind nginx, one of which is killed under load."""

import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode

from allo.live import tokens
from allo.live.message import Message
from allo.live.publisher import send
from reservations.clock.audit import audit_stock
from tests.benchmarks.http import running as web
from tests.benchmarks.live import server
from tests.nginx.install import ensure
from tests.nginx.test_nginx import behind, serving
from tests.running import free_port, wait_for
from tests.scale import load
from tests.scale.servers import LOOPBACK, shopping_at, world
from tests.scale.standby import UNLIMITED, products

PAGES, CHANGES, EVERY_SECONDS = 40, 100, 0.05
TOPIC = "scale:1"
# What a page waits before it opens its stream anew; browsers wait 2 to 5 s, as the process says.
AGAIN_SECONDS = 0.5
SECONDS = 10.0
HEARD = re.compile(rb"data: \d+ scale:1 (change\d+) ")
# To a page that was away for too long to know what it missed: it requests all of its parts.
ALL = re.compile(rb"data: \d+ \* ")


_published: list[int] = []


@dataclass
class Page:
    """A page's stream, which is opened anew when it ends, as a browser does it."""

    port: int
    heard: list[str] = field(default_factory=list)
    # How many changes were published when it was last to request all of its parts.
    anew: int = 0
    # The id of the last that it heard.
    newest: str = ""
    lost_at: float = 0
    back_at: float = 0
    is_up: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)

    def knows(self, number: int) -> bool:
        """All of the first so many changes."""
        wanted = {f"change{n}" for n in range(self.anew, number)}
        return wanted <= {*self.heard}

    def run(self) -> None:
        while not self.over.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._listen()
            self.lost_at = self.lost_at or time.monotonic()
            self.over.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        headers = {"Last-Event-ID": self.newest} if self.newest else {}
        address = f"/live/?{urlencode({'t': tokens.sign([TOPIC])})}"
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)) as connection:
            connection.request("GET", address, headers=headers)
            with connection.getresponse() as stream:
                while (line := stream.readline()) and not self.over.is_set():
                    self._take(line)

    def _take(self, line: bytes) -> None:
        if found := HEARD.match(line):
            self.heard.append(found[1].decode())
        elif ALL.match(line):
            self.anew = len(_published)
        elif line.startswith(b"id: "):
            self.newest = line[4:].decode().strip()
        elif line.startswith(b"event: up"):
            self.is_up.set()
            if self.lost_at and not self.back_at:
                self.back_at = time.monotonic()


def report(folder: Path) -> Iterator[str]:
    if not (root := ensure()):
        yield "Not run: there is no nginx here, and Debian's could not be fetched."
        return
    with world(folder) as here, ExitStack() as stack:
        first = here.primary()
        environment = {
            "DATABASE_URL": here.url(first),
            "TRUSTED_PROXIES": "1",
            "LIVE_URL": "/live/",
        }
        stack.enter_context(shopping_at(here.url(first)))
        webs = [stack.enter_context(web("Allo", **UNLIMITED, **environment)) for _ in range(2)]
        lives = [
            stack.enter_context(
                server("allo.gunicorn_live", "LIVE_PORT", "/live/health", **environment)
            )
            for _ in range(2)
        ]
        ports = [int(url.rpartition(":")[2]) for url, _ in webs]
        port = free_port()
        text = behind(ports, [live_port for _, live_port in lives], folder, port)
        text = text.replace("server_name shop.example;", f"server_name shop.example {LOOPBACK};")
        stack.enter_context(serving(root, folder, text))
        yield from _measured(port, lives[0][0])


def _measured(port: int, victim: "subprocess.Popen[bytes]") -> Iterator[str]:
    with listening(port) as pages, load.running([port], products()) as callers:
        callers.await_successes(50)
        _publish(0)
        wait_for(lambda: all(page.knows(CHANGES) for page in pages), seconds=30)
        calm = [len(page.heard) - len(set(page.heard)) for page in pages]
        # A heartbeat later: a live process that has just begun cannot know what came before.
        first = {page.newest for page in pages}
        wait_for(lambda: first.isdisjoint(page.newest for page in pages), seconds=30)
        killed = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        _publish(CHANGES)
        wait_for(lambda: all(page.knows(2 * CHANGES) for page in pages), seconds=30)
        callers.over.wait(SECONDS)
    lost = [page for page in pages if page.lost_at]
    slowest = max((page.back_at for page in lost), default=killed) - killed
    again = sum(len(page.heard) - len(set(page.heard)) for page in pages) - sum(calm)
    anew = sum(page.anew > 0 for page in lost)
    broken = callers.broken_promises()
    yield (
        f"Two gunicorn with two processes each and two live processes behind nginx, {PAGES} pages"
        f" open, {callers.per_second():,.0f} reservations a second meanwhile.\n"
    )
    yield "| | |\n|---|---|"
    yield f"| changes that each page heard, of {CHANGES} | {CHANGES}, {sum(calm)} of them twice |"
    yield f"| pages on the live process that was killed (−9) | {len(lost)} |"
    yield f"| changes that they missed, of the next {CHANGES} | 0 |"
    yield f"| of these pages: requested all of their parts anew | {anew} |"
    yield f"| changes that they heard again as they came back | {again} |"
    yield f"| seconds until the last of them was on the other one | {slowest:.1f} |"
    yield f"| answers to reservations | {dict(callers.answers)} |"
    yield f"| acknowledged and lost | {len(broken)} |"
    assert audit_stock() == []


@contextmanager
def listening(port: int) -> Iterator[list[Page]]:
    pages = [Page(port) for _ in range(PAGES)]
    threads = [Thread(target=page.run, daemon=True) for page in pages]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(page.is_up.is_set() for page in pages), seconds=30)
    yield pages
    for page in pages:
        page.over.set()


def _publish(first: int) -> None:
    """Each under a key of its own, so that none is taken for an older state of another."""
    for number in range(first, first + CHANGES):
        _published.append(number)
        send([Message(TOPIC, time.time_ns() // 1000, f"change{number}", "1")])
        time.sleep(EVERY_SECONDS)
