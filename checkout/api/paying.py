"""From a program's request to pay to its answer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import BoundedSemaphore

from checkout.api import answers, outcomes
from checkout.api.attempts import attempt
from checkout.api.confirming import Confirming
from checkout.payments.base import ProviderError, Unreachable
from checkout.payments.providers import the_provider
from reservations.api.answers import refused
from reservations.engine.idempotency import Reply
from reservations.exceptions import ReservationError

logger = logging.getLogger(__name__)

# Threads of a web process that may wait for a provider at once, and for how many seconds others
# wait for a place: a slow provider leaves the shop free.
PLACES, PATIENCE = 6, 2.0
_places = BoundedSemaphore(PLACES)


def confirm(it: Confirming) -> Reply:
    """Raises `Problem`."""
    try:
        with _place():
            return _confirm(it)
    except ReservationError as refusal:
        return refused(refusal)
    except ProviderError as error:
        logger.warning("reservation %s: %s", it.found.pk, type(error).__name__)
        return answers.as_reply(answers.PAYMENT_UNDECIDED)


def _confirm(it: Confirming) -> Reply:
    made = attempt(it)
    if isinstance(made, Reply):
        return made
    payment, before = made
    return replace(outcomes.pay(payment, it.method_for(payment)), replayed=before)


@contextmanager
def _place() -> Iterator[None]:
    if not the_provider().origin:
        yield
        return
    if not _places.acquire(timeout=PATIENCE):
        raise Unreachable("too many wait for it")
    try:
        yield
    finally:
        _places.release()
