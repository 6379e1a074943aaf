"""A locked inventory row."""

from dataclasses import dataclass


@dataclass(slots=True)
class Stock:
    """A locked inventory row, and what this transaction changes about it."""

    id: int
    product: int
    total: int
    reserved: int
    # The price of a unit, the product's name and its limit now: read only for commands that need
    # them (`Command.reads_prices`).
    unit_paise: int = 0
    name: str = ""
    max_per_customer: int | None = None
    sold_now: int = 0
    held_now: int = 0
    nothing_due: bool = False  # this transaction has expired every dead hold of the row
    lapse_moved: bool = False  # another of its holds may be the first to lapse now

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
