"""The events of orders: messages for live pages, and what webhooks get."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from allo.live.events import publish_events
from allo.live.message import Message, micros
from allo.outbox.hooks import writing
from checkout.models import Order
from checkout.orders import statements


@dataclass(frozen=True, slots=True)
class OrderChanged:
    order: UUID
    at: datetime

    @property
    def messages(self) -> tuple[Message, ...]:
        return (Message(order_topic(self.order), micros(self.at)),)


def order_topic(pk: UUID) -> str:
    return f"order:{pk}"


def publish_order(order: Order, at: datetime | None, kind: str = "") -> None:
    """Tells the pages that show it, after the commit; `at` is by the database's clock. With a
    `kind`, webhooks get the order as it is now in this transaction."""
    assert at is not None
    event = OrderChanged(order.pk, at)
    transaction.on_commit(lambda: publish_events([event]), robust=True)
    if kind:
        tell(order, kind)


def tell(order: Order, kind: str) -> None:
    """Tells webhooks only."""
    writing.write(statements.TOLD, [[kind], [order.pk]])
