"""The events of stock, from which live updates are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from allo.live.events import Event, publish_events
from allo.live.message import Message, micros
from catalog.events import product_topic
from inventory.free import is_for_list
from inventory.serving import serve_soon


@dataclass(frozen=True, slots=True)
class StockChanged:
    """A row's units after a change; `at` is the database's time, read under the lock."""

    row: int
    product: int
    total: int
    reserved: int
    at: datetime
    list_needs: int

    @property
    def is_for_list(self) -> bool:
        return is_for_list(self.total - self.reserved, self.list_needs)

    @property
    def messages(self) -> tuple[Message, ...]:
        # Units that are free only for the waiting list count as held.
        taken = self.total if self.is_for_list else self.reserved
        # When nothing is left, pages show when the first hold may lapse.
        nothing_left = taken >= self.total > 0
        numbers = f"{self.total} {taken}"
        topic = product_topic(self.product)
        return (Message(topic, micros(self.at), str(self.row), numbers, follow=nothing_left),)


def publish(events: Sequence[Event]) -> None:
    """Tells open pages, and has the waiting list served if units are free for it. Call it after the
    commit. It takes microseconds."""
    publish_events(events)
    stock = (event for event in events if isinstance(event, StockChanged))
    if products := {event.product for event in stock if event.is_for_list}:
        serve_soon(products)
