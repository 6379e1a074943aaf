"""A hold that could not be paid because the provider was away does not count as unpaid."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import OperationalError

from checkout.models import Order
from checkout.payments.base import TooMany, Unreachable
from reservations import services


@contextmanager
def excused(order: Order) -> Iterator[None]:
    """Around a call to the order's provider. That too many call at once is no excuse: shoppers
    could bring that about."""
    try:
        yield
    except TooMany:
        raise
    except Unreachable:
        # A hold may be locked for long: the caller then still hears that the provider is away.
        with suppress(OperationalError):
            _excuse(order)
        raise


def _excuse(order: Order) -> None:
    """Each hold by itself: a statement for several could lock them in another order than the
    engine does."""
    for hold in order.order_lines.filter(active=True).values_list("reservation", flat=True):
        services.excuse(hold)
