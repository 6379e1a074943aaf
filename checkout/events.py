"""The events of orders, from which live updates are made."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from allo.live.events import publish_events
from allo.live.message import Message, micros
from checkout.models import Order


@dataclass(frozen=True, slots=True)
class OrderChanged:
    order: UUID
    at: datetime

    @property
    def messages(self) -> tuple[Message, ...]:
        return (Message(order_topic(self.order), micros(self.at)),)


def order_topic(pk: UUID) -> str:
    return f"order:{pk}"


def publish_order(order: Order, at: datetime | None) -> None:
    """After the commit, to the pages that show it; `at` by the database's clock."""
    assert at is not None
    event = OrderChanged(order.pk, at)
    transaction.on_commit(lambda: publish_events([event]), robust=True)
