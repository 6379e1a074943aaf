"""What changes about stock, in the words that live updates are made from."""

from dataclasses import dataclass
from datetime import datetime


def product_topic(product_id: int) -> str:
    return f"product:{product_id}"


@dataclass(frozen=True, slots=True)
class StockChanged:
    """A row's units after a change; `at` is the database's clock, read under the lock."""

    row: int
    product: int
    total: int
    reserved: int
    at: datetime

    @property
    def topics(self) -> tuple[str, ...]:
        return (product_topic(self.product),)
