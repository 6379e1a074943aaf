"""A locked inventory row."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Stock:
    """A locked inventory row, and what this transaction changes about it."""

    id: int
    product: int
    total: int
    reserved: int
    # The price of a unit, the product's name, its opening and what its limits are made of: read
    # only for commands that need them (`Command.reads_prices`).
    unit_paise: int = 0
    name: str = ""
    max_per_customer: int | None = None
    opens_at: datetime | None = None
    # Of its product in all warehouses: not locked, so they may be a moment old.
    total_everywhere: int = 0
    rows_everywhere: Collection[int] = ()
    sold_now: int = 0
    held_now: int = 0
    nothing_due: bool = False  # this transaction has expired every dead hold of the row
    lapse_moved: bool = False  # another of its holds may be the first to lapse now

    def describe(  # noqa: PLR0917 - the columns of one statement
        self,
        unit_paise: int,
        name: str,
        max_per_customer: int | None,
        opens_at: datetime | None,
        total_everywhere: int,
        rows_everywhere: Collection[int],
    ) -> None:
        """Sets what is known of its product."""
        self.unit_paise, self.name, self.max_per_customer = unit_paise, name, max_per_customer
        self.opens_at = opens_at
        self.total_everywhere, self.rows_everywhere = total_everywhere, rows_everywhere

    @property
    def available(self) -> int:
        return self.total - self.sold_now - self.reserved - self.held_now

    @property
    def is_changed(self) -> bool:
        return bool(self.sold_now or self.held_now)

    @property
    def shows(self) -> bool:
        """Whether pages show the change: if nothing is left, also when the first hold may lapse."""
        return self.is_changed or (self.lapse_moved and self.available <= 0)


class Shortage(Exception):
    """Too few units are available, but dead holds of these rows have yet to be expired."""

    def __init__(self, stocks: list[Stock], wanted: int) -> None:
        super().__init__(f"{wanted} units wanted")
        self.stocks = stocks
        self.wanted = wanted
