"""A whole drop over HTTP: thousands come within seconds, wait in the room, reserve, and pay, give
back or let lapse, until all is sold.

The crowd is a process of its own, which takes the time that the shop leaves, as if it were on other
machines. Those who hold go on in this process, so that the crowd's threads do not count as the
shop's slowness.
"""

import http.client
import multiprocessing
import os
import queue
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from catalog.models import Product
from inventory.models import Inventory
from reservations import room_keeping
from reservations.clock.expiry import expire_due
from tests.benchmarks import cpu
from tests.benchmarks.http import running
from tests.benchmarks.journeys import BUYER
from tests.benchmarks.live import server
from tests.benchmarks.load import Measured
from tests.running import free_port, wait_for
from tests.stock import stocked

UNITS, SHOPPERS, WITHIN_SECONDS = 100, 5000, 10.0
PAYS, GIVES_BACK = 0.6, 0.2
# After what was for nothing.
AGAIN_SECONDS = 2
TTL_SECONDS, SWEEP_SECONDS, LONGEST_SECONDS = 30, 10, 300
# The first ones find a shop that has compiled nothing yet.
WARM_UP, CALM_JOURNEYS = 20, 50
# Of the crowd. The shop has 0.
NICENESS = 10
SEE_OTHER, BUSY, FAILED = 303, 503, 500
# Threads of the generator do little.
STACK_BYTES = 256 * 1024

Ask = Callable[..., tuple[int, str]]


@dataclass
class Drop:
    """What the shoppers met."""

    slug: str
    web: int
    answers: Counter[int] = field(default_factory=Counter)
    # Seconds that requests of holders took, from the checkout to the order.
    paying: list[float] = field(default_factory=list)
    # Holds that ended before they were paid for: so slow was the shop.
    late: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class Holder(NamedTuple):
    """A shopper who got something, as the crowd hands it over."""

    number: int
    cookies: dict[str, str]
    place: str
    chance: float


def report() -> Iterator[str]:
    row = stocked(UNITS, product="drop-whole")
    calm = stocked(WARM_UP + CALM_JOURNEYS, product="drop-calm")
    with _shop() as (web, live, port):
        _journeys(Drop("drop-calm", port), WARM_UP)
        before = Drop("drop-calm", port)
        _journeys(before, CALM_JOURNEYS)
        drop = Drop(row.product.slug, port)
        clocks = {"web": web, "live": live, "PostgreSQL": cpu.database()}
        used = {name: cpu.seconds_of(pid) for name, pid in clocks.items()}
        seconds, crowd = _run(drop, row)
        used = {name: cpu.seconds_of(pid) - used[name] for name, pid in clocks.items()}
    assert not Inventory.objects.get(pk=calm.pk).total_units
    row.refresh_from_db()
    yield from _table(drop, before, row, seconds, {**used, "the crowd": crowd})


def _journeys(drop: Drop, number: int) -> None:
    for each in range(number):
        shopper = Shopper(drop, each)
        shopper.pay(shopper.reserve())


@contextmanager
def _shop() -> Iterator[tuple[int, int, int]]:
    """Web and live with their process ids, and web's port."""
    web_port, live_port = free_port(), free_port()
    shop = f"http://127.0.0.1:{web_port}"
    common = {
        "SITE_URL": shop,
        "LIVE_URL": f"http://127.0.0.1:{live_port}/live/",
        "LIVE_ALLOW_ORIGINS": shop,
        "TRUSTED_PROXIES": "1",
        "RESERVATION_TTL_SECONDS": str(TTL_SECONDS),
        "ON_DELIVERY_NEEDS_CODE": "off",
    }
    live_server = server(
        "allo.gunicorn_live", "LIVE_PORT", "/live/health", LIVE_PORT=str(live_port), **common
    )
    with (
        override_settings(SITE_URL=shop, LIVE_ORIGIN=f"http://127.0.0.1:{live_port}"),
        running("Allo", PORT=str(web_port), **common) as (_, web),
        live_server as (live, _),
    ):
        yield web, live.pid, web_port


def _run(drop: Drop, row: Inventory) -> tuple[float, float]:
    """Seconds from the opening until all is sold, and the CPU seconds of the crowd."""
    opens_at = timezone.now() + timedelta(seconds=WITHIN_SECONDS / 2)
    Product.objects.filter(pk=row.product_id).update(opens_at=opens_at)
    room_keeping.keep_due()
    connection.close()
    context = multiprocessing.get_context("fork")
    holders, (ours, theirs) = context.Queue(), context.Pipe()
    crowd = context.Process(target=_crowd, args=(drop, holders, theirs), daemon=True)
    crowd.start()
    for target in (_tick, _go_on):
        threading.Thread(target=target, args=(drop, holders), daemon=True).start()
    began = time.monotonic()
    wait_for(lambda: _is_sold(row) or time.monotonic() - began > LONGEST_SECONDS, seconds=600)
    seconds = time.monotonic() - began - WITHIN_SECONDS / 2
    drop.over.set()
    ours.send("over")
    answers, used = ours.recv()
    drop.answers += answers
    crowd.join()
    return seconds, used


def _crowd(drop: Drop, holders: Any, parent: Any) -> None:
    """A process."""
    os.nice(NICENESS)
    threading.stack_size(STACK_BYTES)
    for number in range(SHOPPERS):
        threading.Thread(target=_take_part, args=(drop, number, holders), daemon=True).start()
    parent.recv()
    drop.over.set()
    parent.send((drop.answers, time.process_time()))


def _go_on(drop: Drop, holders: Any) -> None:
    while not drop.over.is_set():
        with suppress(queue.Empty):
            holder = holders.get(timeout=1)
            threading.Thread(target=_end, args=(drop, holder), daemon=True).start()


def _end(drop: Drop, holder: Holder) -> None:
    Shopper(drop, holder.number, holder.cookies).end(holder.place, holder.chance)


def _tick(drop: Drop, _holders: Any) -> None:
    """In place of the clock and the worker."""
    while not drop.over.wait(SWEEP_SECONDS):
        expire_due()
        room_keeping.keep_due()
    connection.close()


def _is_sold(row: Inventory) -> bool:
    time.sleep(0.5)
    row.refresh_from_db()
    return not row.total_units


def _table(
    drop: Drop, calm: Drop, row: Inventory, seconds: float, used: dict[str, float]
) -> Iterator[str]:
    total = sum(drop.answers.values())
    failed = sum(number for status, number in drop.answers.items() if status >= FAILED)
    busy = drop.answers[BUSY]
    paid, before = Measured.of(drop.paying, 1), Measured.of(calm.paying, 1)
    yield (
        f"\n{UNITS} units, {SHOPPERS:,} shoppers within {WITHIN_SECONDS:.0f} s around the opening,"
        f" over HTTP without JavaScript; holds last {TTL_SECONDS} s, {PAYS:.0%} pay,"
        f" {GIVES_BACK:.0%} give back, the others let lapse.\n"
    )
    yield (
        "| sold, of them in s | requests | busy | other 5xx | checkout of holders: p99, ms; calm"
        f" | too slow to pay | CPU seconds of {', '.join(used)} |\n|---|---|---|---|---|---|---|"
    )
    yield (
        f"| {UNITS - row.total_units} in {seconds:.0f} | {total:,} | {busy / total:.2%}"
        f" | {failed - busy} | {paid.p99_ms:,.0f}; {before.p99_ms:,.0f} | {drop.late}"
        f" | {', '.join(f'{each:.0f}' for each in used.values())} |"
    )


# --- a shopper ------------------------------------------------------------------------------------


def _take_part(drop: Drop, number: int, holders: Any) -> None:
    chance = random.Random(number)
    drop.over.wait(chance.uniform(0, WITHIN_SECONDS))
    shopper = Shopper(drop, number)
    while not drop.over.is_set():
        try:
            place = shopper.wait()
        except (OSError, http.client.HTTPException):
            continue
        if place:
            holders.put(Holder(number, shopper.cookies, place, chance.random()))
            return
        drop.over.wait(AGAIN_SECONDS)


class Shopper:
    """A browser without JavaScript, at a network of its own."""

    def __init__(self, drop: Drop, number: int, cookies: dict[str, str] | None = None) -> None:
        self._drop = drop
        self.cookies = cookies or {}
        self._network = f"10.{number >> 8 & 255}.{number & 255}.1"
        self._home = f"http://127.0.0.1:{drop.web}"

    def wait(self) -> str:
        """Through the room to the address of the checkout; "" if it was for nothing."""
        address = f"{self._home}/p/{self._drop.slug}/wait/"
        status, page = self._get(address)
        room = page if status == SEE_OTHER else self._post(address, page)[1]
        while "/live/room/" in room and not self._drop.over.is_set():
            status, page = self._get(room)
            if status == SEE_OTHER:
                self._get(page)
                return self.reserve()
            again = re.search(r'http-equiv="refresh" content="(\d+)"', page)
            if not again:
                break
            self._drop.over.wait(int(again[1]))
        # Nobody has to wait any more, or the turn came and went.
        return self.reserve() if room.endswith("/reserve/") else ""

    def reserve(self) -> str:
        address = f"{self._home}/p/{self._drop.slug}/reserve/"
        status, page = self._get(address)
        if status == SEE_OTHER or "idempotency_key" not in page:
            return ""
        status, place = self._post(address, page, warehouse="", quantity=1, held="")
        return f"{self._home}{place}" if status == SEE_OTHER and "/checkout/" in place else ""

    def end(self, place: str, chance: float) -> None:
        if chance < PAYS:
            self.pay(place)
        elif chance < PAYS + GIVES_BACK:
            self._post(f"{place}cancel/", self._get(place)[1], quantity=1)

    def pay(self, place: str) -> None:
        page = self._timed(self._get, place)
        self._timed(self._post, f"{place}contact/", page, **BUYER)
        order = self._timed(self._post, f"{place}confirm/", page, quantity=1, **BUYER)
        if "It is yours." not in self._timed(self._get, f"{self._home}{order}"):
            self._drop.late += 1

    def _timed(self, ask: Ask, *args: str, **fields: object) -> str:
        began = time.perf_counter()
        answer = ask(*args, **fields)[1]
        self._drop.paying.append(time.perf_counter() - began)
        return answer

    def _get(self, address: str) -> tuple[int, str]:
        return self._send("GET", address, None)

    def _post(self, address: str, page: str, **fields: object) -> tuple[int, str]:
        """Sends a form of this page."""
        hidden = ("csrfmiddlewaretoken", "idempotency_key")
        found = {name: re.search(f'name="{name}" value="([^"]+)"', page) for name in hidden}
        form = {**fields, **{name: it[1] for name, it in found.items() if it}}
        return self._send("POST", address, urlencode(form))

    def _send(self, verb: str, address: str, body: str | None) -> tuple[int, str]:
        """The status, and the page or where it leads."""
        url = urlsplit(address)
        headers = {
            "X-Forwarded-For": self._network,
            "Connection": "close",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        asked = http.client.HTTPConnection(url.netloc, timeout=30)
        try:
            asked.request(verb, f"{url.path}?{url.query}".rstrip("?"), body, headers)
            answer = asked.getresponse()
            text = answer.read().decode()
        finally:
            asked.close()
        self._drop.answers[answer.status] += 1
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: said.value for name, said in SimpleCookie(cookie).items()}
        if answer.status == BUSY:
            self._drop.over.wait(int(answer.headers["Retry-After"] or 1))
        return answer.status, answer.headers["Location"] or text
