"""The shop's WSGI application in a worker that is killed once, by a request for `FATAL` units.

`DOOM` names a file with the point of death; it is deleted when the worker is killed."""

import os
import signal
from pathlib import Path
from typing import Any

from allo.wsgi import application
from reservations.engine import storage
from reservations.engine import transactions as engine
from reservations.engine.books import Books
from reservations.engine.combining import Combiner
from tests.api.doomed_point import FATAL

__all__ = ["application"]


DOOM = Path(os.environ["DOOM"])


def die_if_it_is_time(point: str) -> None:
    if DOOM.exists() and DOOM.read_text() == point:
        DOOM.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def write(books: Books, *, commit: bool) -> None:
    storage.write(books, commit=False)
    if any(reservation.quantity == FATAL for reservation in books.held):
        die_if_it_is_time("before-commit")


deliver: Any = Combiner._deliver


def _deliver(self: Any, lane: Any, batch: Any, outcomes: Any) -> bool:
    if any(getattr(call.item, "quantity", 0) == FATAL for call in batch):
        die_if_it_is_time("after-commit")
    return bool(deliver(self, lane, batch, outcomes))


vars(engine)["write"] = write
Combiner._deliver = _deliver  # type: ignore[method-assign]
