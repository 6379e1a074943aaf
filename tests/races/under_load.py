"""Sixteen callers reserve, confirm and release while one server after the other is killed under
them; afterwards every promise that was made is looked up. Run in a private world of its own by
`test_deaths`.

Prints what it saw as JSON: the seconds in which the tables were made, acknowledged, refused or
failed by kind, for each death how many successes came after it and the seconds until the first,
promises broken, findings of the audit.
"""

import json
import os
import random
import signal
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from threading import Event

import django

django.setup()

from django.db import connection  # noqa: E402

from reservations import services  # noqa: E402
from reservations.clock.audit import audit_stock  # noqa: E402
from reservations.engine.commands import Holder  # noqa: E402
from reservations.engine.idempotency import Once, Reply  # noqa: E402
from reservations.exceptions import ReservationError  # noqa: E402
from reservations.models import Reservation  # noqa: E402
from tests.migrations import migrate_unhurried  # noqa: E402
from tests.races.doomed import render  # noqa: E402
from tests.running import PATIENCE, wait_for  # noqa: E402
from tests.stock import stocked  # noqa: E402

CALLERS = 16
# More than all of them can take in the time.
UNITS = 5_000
# In seconds: before each death, at the least, and after each recovery.
BEFORE, AFTER = 1.5, 1.5
# So many calls are answered before each death, however slow the machine is.
ENOUGH = 50


class Load:
    def __init__(self) -> None:
        self.product = stocked(UNITS).product_id
        stocked(UNITS, warehouse="del-01")
        self.acknowledged: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.counted: Counter[str] = Counter()
        self.died = inf
        self.successes: list[float] = []
        self.back = Event()
        self.over = Event()

    def call(self, _: int) -> None:
        while not self.over.is_set():
            key = str(uuid.uuid4())
            try:
                self.one(key)
            except ReservationError as refusal:
                self.counted[refusal.code] += 1
                # After "busy" the caller retries a little later.
                self.over.wait(0.02)
            except Exception as error:
                self.counted[type(error).__name__] += 1
        connection.close()

    def one(self, key: str) -> None:
        begun = time.monotonic()
        answer = self.hold(key)
        if answer.status != 201:
            self.counted["sold out"] += 1
            self.over.wait(0.02)
            return
        pk = json.loads(answer.body)["id"]
        self.acknowledged[key] = pk
        # What was under way as the server died may still have been answered.
        if begun > self.died:
            self.successes.append(time.monotonic())
            self.back.set()
        verb = random.choice([services.confirm, services.release, services.release, None])
        if verb:
            ended = verb(reservation_id=uuid.UUID(pk))
            assert isinstance(ended, Reservation)
            self.ends[pk] = ended.status

    def hold(self, key: str) -> Reply:
        once = Once(f"session:{key}", "reserve", key, b"1", render)
        answer = services.reserve.once(
            once, product_id=self.product, quantity=1, holder=Holder(f"session:{key}")
        )
        assert isinstance(answer, Reply)
        return answer

    def kill(self, victim: str) -> dict[str, float]:
        """What came after the death, to be called while all of them call."""
        pid, enough = pid_of(victim), len(self.acknowledged) + ENOUGH
        self.over.wait(BEFORE)
        wait_for(lambda: len(self.acknowledged) > enough)
        self.died = inf
        self.successes.clear()
        self.back.clear()
        os.kill(pid, signal.SIGKILL)
        self.died = time.monotonic()
        self.back.wait(PATIENCE)
        self.over.wait(AFTER)
        after = [*self.successes]
        return {"after": len(after), "recovered_in": min(after, default=inf) - self.died}

    def broken_promises(self) -> list[str]:
        states = {str(pk): s for pk, s in Reservation.objects.values_list("pk", "status")}
        lost = [f"lost {pk}" for pk in self.acknowledged.values() if pk not in states]
        undone = [f"undone {pk}" for pk, end in self.ends.items() if states.get(pk) != end]
        for key, pk in random.sample(sorted(self.acknowledged.items()), 50):
            again = self.hold(key)
            if not again.replayed or json.loads(again.body)["id"] != pk:
                undone.append(f"not replayed {key}")
        return lost + undone


def main(*victims: str) -> None:
    begun = time.monotonic()
    migrate_unhurried()
    prepared_in = time.monotonic() - begun
    load = Load()
    with ThreadPoolExecutor(CALLERS) as pool:
        running = [pool.submit(load.call, n) for n in range(CALLERS)]
        try:
            deaths = {victim: load.kill(victim) for victim in victims}
        finally:
            load.over.set()
        for caller in running:
            caller.result(PATIENCE)
    connection.close()
    print(
        json.dumps(
            {
                "prepared_in": prepared_in,
                "acknowledged": len(load.acknowledged),
                "deaths": deaths,
                "counted": load.counted,
                "broken": load.broken_promises(),
                "findings": [str(finding) for finding in audit_stock()],
            }
        )
    )


def pid_of(victim: str) -> int:
    """The server of this world: the one whose command names this state folder."""
    state = os.environ["STATE_DIR"].encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        # A server may have rewritten its title, so all of it is looked at.
        if victim.encode() in command and state in command and b"-m\0" not in command:
            return int(process.name)
    raise LookupError(victim)


if __name__ == "__main__":
    main(*sys.argv[1:])
