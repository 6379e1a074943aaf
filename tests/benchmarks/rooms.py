"""Waiting rooms: in which order they let in, what share of a drop bots get, and what 10,000 waiting
cost."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import count
from statistics import mean

from django.core.management import call_command
from django.test import override_settings

from allo.live.rooms import store
from allo.live.rooms.store import run, topic_of
from allo.redis_client import redis_client
from catalog.models import Product
from inventory.models import Inventory
from tests.benchmarks import cpu
from tests.benchmarks.live import EVENTS, EVERY_SECONDS, Heard, child, listening, memory, server
from tests.benchmarks.load import Measured
from tests.live.rooms import Room
from tests.running import wait_for
from tests.stock import stocked

RUNS, VISITORS = 20, 500
UNITS, SHOPPERS, BOTS, NETWORKS = 100, 1000, 1000, 50
WAITING, WATCHED_SECONDS = 10_000, 10.0
LIMITS_OFF = {"RESERVATION_MAX_SHARE": 0, "RESERVATION_MAX_UNITS_PER_ADDRESS": 0}
LIMITS_ON = {"RESERVATION_MAX_SHARE": 25, "RESERVATION_MAX_UNITS_PER_ADDRESS": 20}

_numbers = count(1)


def report() -> Iterator[str]:
    yield from _orders()
    yield from _bots()
    yield from _waiting()


# --- order ----------------------------------------------------------------------------------------


def _orders() -> Iterator[str]:
    early = [_correlation(3600) for _ in range(RUNS)]
    late = [_correlation(-1) for _ in range(RUNS)]
    yield (
        f"Rank correlation of arrival and admission over {RUNS} rooms of {VISITORS} visitors: early"
        f" {mean(early):+.3f}; late {mean(late):+.3f}, {sum(it == 1 for it in late)} of {RUNS}"
        " exactly in order.\n"
    )


def _correlation(opens_in_seconds: float) -> float:
    """1 if they were let in as they came."""
    room = Room(next(_numbers))
    room.open(opens_in_seconds)
    names = [secrets.token_hex(11) for _ in range(VISITORS)]
    for name in names:
        room.join(name)
    room.open()
    let: list[str] = []
    while room.line():
        room.step()
        let += room.line(":done")[len(let) :]
    room.close()
    arrived = {name: number for number, name in enumerate(names)}
    apart = sum((arrived[name] - number) ** 2 for number, name in enumerate(let))
    return 1 - 6 * apart / (VISITORS * (VISITORS**2 - 1))


# --- bots -----------------------------------------------------------------------------------------


def _bots() -> Iterator[str]:
    yield (
        f"{UNITS} units, {SHOPPERS:,} shoppers, and {BOTS:,} bots from {NETWORKS} networks that"
        " press first and take all they may: units that the bots hold.\n"
    )
    yield "| | without a room | through a room |\n|---|---|---|"
    for name, changed, most in (
        ("no limits", LIMITS_OFF, None),
        ("the limits of the shop", LIMITS_ON, None),
        ("and 1 for each customer", LIMITS_ON, 1),
    ):
        with override_settings(**changed):
            yield f"| {name} | {' | '.join(_of_bots(most))} |"


def _of_bots(most: int | None) -> list[str]:
    row = stocked(UNITS, product=f"drop-{next(_numbers)}")
    Product.objects.filter(pk=row.product_id).update(max_per_customer=most)
    said = StringIO()
    people = {"shoppers": SHOPPERS, "bots": BOTS, "networks": NETWORKS}
    call_command("simulate_drop", row.product.slug, stdout=said, **people)
    assert not Inventory.objects.get(pk=row.pk).reserved_units
    return re.findall(r"(\d+%) are with bots", said.getvalue())


# --- those who wait -------------------------------------------------------------------------------


def _waiting() -> Iterator[str]:
    room = Room(next(_numbers))
    room.open(3600)
    with (
        server("allo.gunicorn", "PORT", "/livez") as (web, _),
        server("allo.gunicorn_live", "LIVE_PORT", "/live/health") as (live, port),
    ):
        before = memory(child(live.pid))
        with listening(port, WAITING, topic_of(room.number)) as (opened, stop):
            wait_for(lambda: len(room.line()) == opened, seconds=30)
            used = _shares({"web": _of(web.pid), "live": _of(live.pid), "Redis": _redis_seconds})
            held = memory(child(live.pid))
            _let_some_in(room)
            yield from _table(opened, used, (before, held), stop())
    room.close()


def _of(pid: int) -> Callable[[], float]:
    return lambda: cpu.seconds_of(pid)


def _redis_seconds() -> float:
    used = redis_client().info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _shares(clocks: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Of a core, while nobody comes and nobody is let in."""
    before = {name: clock() for name, clock in clocks.items()}
    time.sleep(WATCHED_SECONDS)
    return {name: (clock() - before[name]) / WATCHED_SECONDS for name, clock in clocks.items()}


def _let_some_in(room: Room) -> None:
    room.open()
    for number in range(1, EVENTS + 1):
        run(store.supply(room.number, free=10 * number, held=0))
        run(store.report(room.number, "web", p95_ms=1, busy=0))
        time.sleep(EVERY_SECONDS)
    time.sleep(2)


def _table(
    opened: int, used: dict[str, float], kilobytes: tuple[float, float], heard: Heard
) -> Iterator[str]:
    told = {at / 1e6: moments for at, moments in heard.items() if at}
    last = Measured.of([max(moments) - at for at, moments in told.items()], 1)
    missed = sum(opened - len(moments) for moments in told.values())
    before, after = kilobytes
    yield (
        f"\n{opened:,} wait, each with an open page, for {WATCHED_SECONDS:.0f} s in which nobody"
        f" comes; then {EVENTS} times some are let in.\n"
    )
    yield (
        "| CPU of web | of live | of Redis | memory of live, MB; of each who waits, kB"
        " | from a step to the last page: p50 / p99, ms | missed |\n|---|---|---|---|---|---|"
    )
    shares = " | ".join(f"{share:.1%}" for share in used.values())
    yield (
        f"| {shares} | {after / 1024:,.0f}; {(after - before) / opened:.0f}"
        f" | {last.p50_ms:,.0f} / {last.p99_ms:,.0f} | {missed} |"
    )
