"""Holds that could not be paid because the provider was away are not held against their holder."""

from collections.abc import Iterator
from contextlib import contextmanager

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
        # Each by itself: an update of several would take their rows in another order than the
        # engine does.
        for hold in order.order_lines.filter(active=True).values_list("reservation", flat=True):
            services.excuse(hold)
        raise
