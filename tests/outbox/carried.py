"""The outbox comes and goes with a filled database."""

from collections.abc import Iterator

from django.db import connection

from allo.outbox import sending
from allo.outbox.models import Delivery, Message, Told
from tests.hooks.hearing import hears
from tests.migrations import before
from tests.outbox.letters import put
from tests.reservations.test_verbs import hold
from tests.stock import stocked

FIRST = ("outbox", "0001_messages")


def messages() -> Iterator[None]:
    """A part of a walk: see `tests/migrations.py`."""
    put()
    yield
    assert "outbox_message" not in connection.introspection.table_names()
    yield
    assert not Message.objects.exists()
    put()
    assert sending.send_due() == 1


def events() -> None:
    """What was told stays, in the order in which it was, for a version that knows only events."""
    hears("reservation.created", "stock.low")
    held = hold(stocked(3, product="pot"))
    Told.objects.create(events='[["stock.low", "stock:1", "2026-01-01T00:00:00Z", {"n": 1}]]')
    with before("outbox", "0003_told"), connection.cursor() as cursor:
        cursor.execute("SELECT kind, subject, data ->> 'product' FROM outbox_event ORDER BY id")
        assert cursor.fetchall() == [
            ("reservation.created", str(held.pk), "pot"),
            ("stock.low", "stock:1", None),
        ]
    assert (Delivery.objects.waiting().count(), Told.objects.count()) == (2, 0)
