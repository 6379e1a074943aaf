"""The expected state of the shop, for the machine of `test_machine`."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

OFFER = 3600
# What became of an entry, by what became of its offer.
BECAME = {
    "pending": "offered",
    "confirmed": "bought",
    "released": "declined",
    "expired": "lapsed",
}


@dataclass
class Hold:
    row: int
    holder: str
    quantity: int
    left: float = 600
    status: str = "pending"
    renewals: int = 0
    price: int = 385_000


@dataclass
class Entry:
    product: int
    rows: tuple[int, ...]  # any of these will do
    quantity: int
    exactly: bool
    person: str
    ended: str = "unconfirmed"  # "" while it waits
    offer: Hold | None = None

    @property
    def state(self) -> str:
        if self.offer is None:
            return self.ended or "waiting"
        return BECAME[self.offer.status]

    @property
    def needs(self) -> int:
        return self.quantity if self.exactly else 1


@dataclass
class Shop:
    """The expected state of the shop."""

    total: dict[int, int]
    price: dict[int, int]
    products: dict[int, int]  # of each row
    holds: dict[UUID, Hold] = field(default_factory=dict)
    entries: dict[UUID, Entry] = field(default_factory=dict)
    order: list[UUID] = field(default_factory=list)  # of those that were confirmed
    closed: set[int] = field(default_factory=set)

    def live(self, **which: object) -> list[Hold]:
        return [
            hold
            for hold in self.holds.values()
            if hold.status == "pending" and all(getattr(hold, k) == v for k, v in which.items())
        ]

    def available(self, row: int) -> int:
        return self.total[row] - sum(hold.quantity for hold in self.live(row=row))

    def free(self, row: int) -> int:
        available = self.available(row)
        return 0 if 0 < self.needs(row) <= available else available

    def needs(self, row: int) -> int:
        takers = (entry for entry in self.entries.values() if entry.state == "waiting")
        return min((entry.needs for entry in takers if row in entry.rows), default=0)

    def waits(self, product: int, person: str) -> bool:
        return any(
            entry.state in ("waiting", "offered")
            for entry in self.entries.values()
            if (entry.product, entry.person) == (product, person)
        )

    def somebody_waits(self) -> bool:
        return any(entry.state == "waiting" for entry in self.entries.values())

    def offers(self, products: Collection[int]) -> list[UUID]:
        """Makes those whose turn it is; returns their entries."""
        made = []
        for pk in self.order:
            entry = self.entries[pk]
            row = max(entry.rows, key=self.available)
            if entry.product not in products or entry.state != "waiting":
                continue
            if self.available(row) >= entry.needs:
                units = min(entry.quantity, self.available(row))
                entry.offer = Hold(
                    row, f"list:{pk}", units, OFFER, price=self.price[self.products[row]]
                )
                # Under a name of its own until the database tells the reservation's.
                self.holds[pk] = entry.offer
                made.append(pk)
        return made

    def pass_time(self, seconds: float) -> None:
        for hold in self.live():
            hold.left -= seconds
            if hold.left <= 0:
                hold.status = "expired"
