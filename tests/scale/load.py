"""Callers of a running shop, who hold and give back over its API; and whether it kept its word."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count, pairwise
from threading import Event, Thread
from typing import Any, NamedTuple
from uuid import uuid4

from reservations.models import IdempotencyKey, Reservation

CALLERS = 16
CREATED, OK, BUSY = 201, 200, 503
RELEASED = Reservation.Status.RELEASED
# Of the last that were acknowledged.
REPLAYED = 50
# After a refusal, as its `Retry-After` asks at the least; and of one call.
AGAIN_SECONDS, PATIENCE_SECONDS = 0.05, 120


class Hold(NamedTuple):
    pk: str
    product: str


@dataclass
class Load:
    """The answers that callers of the shops at these ports got."""

    ports: list[int]
    products: list[str]
    # Those acknowledged by 201, by their key.
    held: dict[str, Hold] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    # What was requested under the key of each call that got 503, and when.
    refused: dict[str, str] = field(default_factory=dict)
    refusals: list[tuple[float, float]] = field(default_factory=list)
    # When each 201 came, and when it was requested.
    successes: list[tuple[float, float]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    over: Event = field(default_factory=Event)
    callers: list[Thread] = field(default_factory=list)

    def start(self) -> None:
        self.callers = [Thread(target=self.call, args=[number]) for number in range(CALLERS)]
        for caller in self.callers:
            caller.start()

    def stop(self) -> None:
        self.over.set()
        for caller in self.callers:
            caller.join(PATIENCE_SECONDS)

    def call(self, number: int) -> None:
        caller = _Caller(self.ports[number % len(self.ports)])
        for turn in count(number):
            if self.over.is_set():
                break
            product = self.products[turn % len(self.products)]
            if not self._one(caller, str(uuid4()), product, gives_back=turn % 4 == 0):
                self.over.wait(AGAIN_SECONDS)
        caller.close()

    def _one(self, caller: "_Caller", key: str, product: str, *, gives_back: bool) -> bool:
        begun = time.monotonic()
        status, answer = caller.hold(key, product)
        self.answers[f"{status}"] += 1
        if status == BUSY:
            self.refused[key] = product
            self.refusals.append((begun, time.monotonic()))
        if status != CREATED:
            return False
        self.held[key] = Hold(answer["id"], product)
        self.successes.append((begun, time.monotonic()))
        if gives_back and caller.release(answer) == OK:
            self.released.add(answer["id"])
        return True

    def longest_pause(self, since: float) -> float:
        """Seconds without a 201 to a call that began after this moment."""
        ends = sorted(end for begun, end in self.successes if begun > since)
        return max(later - earlier for earlier, later in pairwise([since, *ends]))

    def per_second(self) -> float:
        ends = [end for _, end in self.successes]
        return len(ends) / (max(ends) - min(ends))

    def await_successes(self, number: int, since: float = 0) -> None:
        """Until so many 201 came to calls that began after this moment."""
        self._await(self.successes, number, since)

    def await_refusals(self, number: int, since: float) -> None:
        self._await(self.refusals, number, since)

    def _await(self, calls: list[tuple[float, float]], number: int, since: float) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while sum(begun > since for begun, _ in [*calls]) < number:
            assert time.monotonic() < deadline, (self.answers, "no more of these")
            time.sleep(0.02)

    def broken_promises(self) -> list[str]:
        """What was acknowledged and is not so in the database that this process works with: holds
        that are gone, and releases that were undone."""
        found = Reservation.objects.filter(pk__in=[hold.pk for hold in self.held.values()])
        states = {str(pk): status for pk, status in found.values_list("pk", "status")}
        lost = [f"lost {hold.pk}" for hold in self.held.values() if hold.pk not in states]
        undone = [f"undone {pk}" for pk in self.released if states.get(pk) not in {None, RELEASED}]
        return lost + undone

    def retry_refused(self) -> tuple[int, int]:
        """How many calls that got 503 were carried out all the same; and how many hold after a
        retry of those and of some others."""
        done = IdempotencyKey.objects.filter(key__in=self.refused).values_list("key", flat=True)
        tried = {*done, *[*self.refused][:CALLERS]}
        caller = _Caller(self.ports[0])
        statuses = [caller.hold_at_last(key, self.refused[key]) for key in tried]
        caller.close()
        return len(done), statuses.count(CREATED)

    def not_replayed(self) -> list[str]:
        """Keys whose retry gets another answer than before."""
        caller = _Caller(self.ports[0])
        last = [*self.held.items()][-REPLAYED:]
        answers = [(hold, caller.hold(key, hold.product)) for key, hold in last]
        caller.close()
        return [hold.pk for hold, (_, answer) in answers if answer.get("id") != hold.pk]


@contextmanager
def running(ports: list[int], products: list[str]) -> Iterator[Load]:
    load = Load(ports, products)
    load.start()
    try:
        yield load
    finally:
        load.stop()


class _Caller:
    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def hold(self, key: str, product: str) -> tuple[str | int, Any]:
        body = json.dumps({"product": product, "quantity": 1})
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._ask("/api/reservations", body, headers)

    def hold_at_last(self, key: str, product: str) -> str | int:
        """As a client does it: again, as long as the answer is 503."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (status := self.hold(key, product)[0]) == BUSY:
            assert time.monotonic() < deadline, "busy for ever"
            time.sleep(AGAIN_SECONDS)
        return status

    def release(self, answer: dict[str, Any]) -> str | int:
        headers = {"Authorization": f"Bearer {answer['token']}"}
        return self._ask(f"/api/reservations/{answer['id']}/release", "", headers)[0]

    def _ask(self, path: str, body: str, headers: dict[str, str]) -> tuple[str | int, Any]:
        """The status and the answer, or the name of what failed."""
        try:
            self.connection.request("POST", path, body, headers)
            with self.connection.getresponse() as response:
                return response.status, json.loads(response.read())
        except (OSError, HTTPException) as error:
            self.close()
            return type(error).__name__, {}

    def close(self) -> None:
        self.connection.close()
