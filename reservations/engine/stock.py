"""A locked inventory row."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from inventory.free import is_for_list


@dataclass(slots=True)
class Stock:
    """A locked inventory row, and what this transaction changes about it."""

    id: int
    product: int
    total: int
    reserved: int
    list_needs: int  # the fewest units that somebody on the waiting list takes from it; 0 is nobody
    # The price of a unit, the product's name, from when it can be held and what its limits are made
    # of: read only for commands that need them (`Command.reads_prices`).
    unit_paise: int = 0
    name: str = ""
    max_per_customer: int | None = None
    opens_at: datetime | None = None
    published_at: datetime | None = None
    # Of its product in all warehouses: not locked, so they may be a moment old.
    total_everywhere: int = 0
    rows_everywhere: Collection[int] = ()
    sold_now: int = 0
    held_now: int = 0
    nothing_due: bool = False  # this transaction has expired every dead hold of the row
    lapse_moved: bool = False  # another of its holds may be the first to lapse now
    list_moved: bool = False  # `list_needs` is another now

    def describe(  # noqa: PLR0917 - the columns of one statement
        self,
        unit_paise: int,
        name: str,
        max_per_customer: int | None,
        opens_at: datetime | None,
        published_at: datetime | None,
        total_everywhere: int,
        rows_everywhere: Collection[int],
    ) -> None:
        """Sets what is known of its product."""
        self.unit_paise, self.name, self.max_per_customer = unit_paise, name, max_per_customer
        self.opens_at, self.published_at = opens_at, published_at
        self.total_everywhere, self.rows_everywhere = total_everywhere, rows_everywhere

    @property
    def available(self) -> int:
        return self.total - self.sold_now - self.reserved - self.held_now

    @property
    def is_for_list(self) -> bool:
        """W1. While as many are available as somebody on the waiting list takes, nobody else gets
        any."""
        return is_for_list(self.available, self.list_needs)

    @property
    def free(self) -> int:
        """What everybody can take."""
        return 0 if self.is_for_list else self.available

    def set_needs(self, list_needs: int) -> None:
        self.list_needs, self.list_moved = list_needs, True

    def may_free(self, wanted: int) -> bool:
        """Whether its dead holds, once they are expired, may leave as many as are wanted."""
        return self.available < wanted and not self.nothing_due

    @property
    def is_changed(self) -> bool:
        return bool(self.sold_now or self.held_now)

    @property
    def shows(self) -> bool:
        """Whether pages show the change: if nothing is left, also when the first hold may lapse."""
        return self.is_changed or self.list_moved or (self.lapse_moved and self.available <= 0)


class Shortage(Exception):
    """Too few units are available, but dead holds of these rows have yet to be expired."""

    def __init__(self, stocks: list[Stock], wanted: int) -> None:
        super().__init__(f"{wanted} units wanted")
        self.stocks = stocks
        self.wanted = wanted
