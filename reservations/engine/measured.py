"""What the metrics count of a transaction."""

import re
from collections.abc import Iterable
from functools import lru_cache

from django.core.exceptions import ObjectDoesNotExist

from allo.metrics import counters
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.exceptions import ReservationError

OK, REPLAYED = "ok", "replayed"


def note(books: Books, command: Command, outcome: str) -> None:
    books.outcomes[_verb(type(command).__name__), outcome] += 1


def publish(books: Books) -> None:
    """Call it after the commit."""
    for labels, number in books.outcomes.items():
        counters.VERBS.labels(*labels).inc(number)
    for event in books.happened:
        counters.RESERVATIONS.labels(event.happened.value).inc()


def failed(commands: Iterable[Command], error: Exception) -> None:
    """Of commands that no transaction served."""
    for command in commands:
        counters.VERBS.labels(_verb(type(command).__name__), word_of(error)).inc()


def word_of(error: Exception) -> str:
    """One of few: a refusal's code, "not_found" or "error"."""
    if isinstance(error, ReservationError):
        return error.code
    return "not_found" if isinstance(error, ObjectDoesNotExist) else "error"


@lru_cache
def _verb(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
