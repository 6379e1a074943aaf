"""The events of the catalogue, from which live updates are made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from allo.live.events import tell
from allo.live.message import Message, micros


def product_topic(product_id: int) -> str:
    return f"product:{product_id}"


@dataclass(frozen=True, slots=True)
class PageChanged:
    """What a product's pages say of it, or whether it has any: its name, its price, its words."""

    product: int
    at: datetime

    @property
    def messages(self) -> tuple[Message, ...]:
        return (Message(product_topic(self.product), micros(self.at)),)


def tell_pages(products: Iterable[int]) -> None:
    """Call it after the commit."""
    now = timezone.now()
    tell([PageChanged(product, now) for product in products])
