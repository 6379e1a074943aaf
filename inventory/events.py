"""The events of stock, from which live updates are made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


def product_topic(product_id: int | Literal["*"]) -> str:
    """The topic of one product's stock, or with "*" of every product's."""
    return f"product:{product_id}"


@dataclass(frozen=True, slots=True)
class StockChanged:
    """A row's units after a change; `at` is the database's time, read under the lock."""

    row: int
    product: int
    total: int
    reserved: int
    at: datetime

    @property
    def topics(self) -> tuple[str, ...]:
        return (product_topic(self.product),)
