"""The events of stock, from which live updates are made."""

from dataclasses import dataclass
from datetime import datetime

from allo.live.message import Message, micros
from catalog.events import product_topic


@dataclass(frozen=True, slots=True)
class StockChanged:
    """A row's units after a change; `at` is the database's time, read under the lock."""

    row: int
    product: int
    total: int
    reserved: int
    at: datetime

    @property
    def messages(self) -> tuple[Message, ...]:
        # When nothing is left, pages show when the first hold may lapse.
        nothing_left = self.reserved >= self.total > 0
        numbers = f"{self.total} {self.reserved}"
        topic = product_topic(self.product)
        return (Message(topic, micros(self.at), str(self.row), numbers, follow=nothing_left),)
