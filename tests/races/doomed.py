"""A process that reserves, adopts, releases, serves a list or leads a batch, and is killed at a
named point."""

import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import django

django.setup()

from inventory import events  # noqa: E402
from inventory.models import Inventory  # noqa: E402
from reservations import services  # noqa: E402
from reservations.engine import storage  # noqa: E402
from reservations.engine import transactions as engine  # noqa: E402
from reservations.engine.books import Books  # noqa: E402
from reservations.engine.combining import Combiner  # noqa: E402
from reservations.engine.commands import Holder, Reserve  # noqa: E402
from reservations.engine.idempotency import Once, Outcome, Reply  # noqa: E402
from reservations.exceptions import ReservationError  # noqa: E402
from reservations.models import Reservation  # noqa: E402
from reservations.waiting import lists  # noqa: E402
from reservations.waiting import services as waiting  # noqa: E402


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_commit() -> None:
    def write(books: Books, *, commit: bool) -> None:
        storage.write(books, commit=False)
        die()

    vars(engine)["write"] = vars(lists)["write"] = write


def before_publishing() -> None:
    vars(events)["publish"] = die


def after_commit() -> None:
    Combiner._deliver = die  # type: ignore[method-assign, assignment]


def render(outcome: Outcome) -> Reply:
    if isinstance(outcome, ReservationError):
        return Reply(409, json.dumps({"code": outcome.code}))
    assert isinstance(outcome, Reservation)
    return Reply(201, json.dumps({"id": str(outcome.pk)}))


def hold(row: int, key: str) -> Reply:
    once = Once(f"session:{key}", "reserve", key, b"1", render)
    return engine.perform_once(
        Reserve(rows=(row,), quantity=1, holder=Holder(f"session:{key}")), once
    )


def lead(row: int, callers: int) -> None:
    """Delays the first caller's transaction until all others are queued behind it, so that the next
    leader, which is killed, has a full batch."""
    combiner, opened, queued = engine._combiner, storage.open_books, Event()

    def open_books(commands, patience):
        if len(commands) == 1:
            while len(combiner._main.waiting) < callers - 1:
                queued.wait(0.01)
        else:
            assert len(commands) == callers - 1
            DEATHS[sys.argv[2]]()
        return opened(commands, patience)

    vars(engine)["open_books"] = open_books
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda n: hold(row, f"k{n}"), range(callers)))


def adopt(_: int) -> list[Reservation]:
    return services.adopt(account="user:7", visitor="visitor:a")


def release(row: int) -> Reservation:
    return services.release(reservation_id=Reservation.objects.pending().get(inventory=row).pk)


def serve(row: int) -> int:
    return waiting.serve(Inventory.objects.get(pk=row).product_id)


ACTS: dict[str, Callable[[int], object]] = {
    "hold": lambda row: hold(row, "k0"),
    "adopt": adopt,
    "release": release,
    "serve": serve,
}
DEATHS = {
    "before-commit": before_commit,
    "after-commit": after_commit,
    "before-publishing": before_publishing,
}

if __name__ == "__main__":
    what, point, row = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "lead":
        lead(row, 12)
    else:
        DEATHS[point]()
        ACTS[what](row)
