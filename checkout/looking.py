"""Looks at a payment while its shopper waits, without letting a slow provider stop the shop."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from checkout import settle
from checkout.models import Order, Payment
from checkout.orders import reading
from checkout.payments.base import ProviderError, TooMany
from checkout.payments.providers import provider
from reservations.exceptions import ReservationError

# How many threads of a web process may wait for a provider at once. The others show what is known:
# the clock looks, and then updates the page.
PLACES = 4
_places = BoundedSemaphore(PLACES)
# How many threads may wait to begin a payment, and how many seconds the others wait for their turn.
TURNS, PATIENCE = 6, 1.0
_turns = BoundedSemaphore(TURNS)


def look(order: Order, last: Payment | None = None) -> Order:
    """Settles the order's last payment now, if a thread may wait for that; returns the order as it
    is. `last` is that payment, if it was read just now."""
    payment = last or reading.last_payment.first(order.number)
    if payment and _places.acquire(blocking=False):
        try:
            return settle.settle_read(payment)
        except (ProviderError, ReservationError):
            pass  # nothing was decided; the clock looks again
        finally:
            _places.release()
    return Order.objects.get(pk=order.pk)


@contextmanager
def turn(provider_name: str) -> Iterator[None]:
    """To begin a payment. Raises `TooMany` while too many wait for a slow provider."""
    if not provider(provider_name).origin:
        yield
        return
    if not _turns.acquire(timeout=PATIENCE):
        raise TooMany("too many wait for it")
    try:
        yield
    finally:
        _turns.release()
