"""What staff see of the waiting room of a drop."""

from typing import NamedTuple

from catalog.models import Product


class RoomNumbers(NamedTuple):
    """Shoppers who wait, and all who were let in."""

    waiting: int
    let_in: int


def room_numbers(product: Product) -> RoomNumbers | None:  # noqa: ARG001
    """None for a product without a waiting room."""
    return None
