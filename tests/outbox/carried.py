"""The outbox comes and goes with a filled database."""

from collections.abc import Iterator

from django.db import connection

from allo.outbox import sending
from allo.outbox.models import Message
from tests.outbox.letters import put

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
