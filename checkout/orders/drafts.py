"""An order before it is opened: all its rows, made before anything is locked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from checkout.models import Charge
from checkout.orders import statements
from checkout.orders.numbers import new_number
from checkout.orders.tax import included, percent_of_shipping
from reservations.engine.also import Also
from reservations.models import Reservation


class Buyer(NamedTuple):
    """The person who buys. Without an address the order is collected at the warehouse."""

    name: str = ""
    email: str = ""
    phone: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    pin: str = ""

    @property
    def collects(self) -> bool:
        return not self.line1


@dataclass(frozen=True, slots=True)
class Pages:
    """The absolute addresses to which the provider sends the shopper, with "{number}" for the
    order's number."""

    paid: str
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    holder: str
    account_id: int | None
    buyer: Buyer
    provider: str
    shipping_paise: int
    pages: Pages
    gst_percents: Mapping[UUID, int]  # by reservation
    by_program: bool = False
    order_id: UUID = field(default_factory=uuid4)
    payment_id: UUID = field(default_factory=uuid4)
    number: str = field(default_factory=new_number)

    @property
    def on_delivery(self) -> bool:
        return self.provider == "none"

    def rows(self, now: datetime, held: Sequence[Reservation]) -> list[Also]:
        """Order, lines and payment, as the engine writes them. One rank higher than their tables:
        after the orders that a batch drops, whose holds they may be about."""
        first_end = min(hold.expires_at for hold in held)
        return [
            Also(statements.ORDER, self._order(now, held), rank=5),
            *(Also(statements.LINE, self._line(hold), rank=5) for hold in held),
            Also(statements.PAYMENT, self._payment(now, first_end), rank=6),
        ]

    def charge(self, held: Sequence[Reservation]) -> Also:
        """What is collected on delivery: it is taken at once, as no bank could refuse it."""
        row = (
            self.order_id, self.payment_id, self.provider, self.number, self._total(held), "INR",
            Charge.Fact.CAPTURED, Charge.Decision.TAKE,
        )  # fmt: skip
        return Also(statements.CHARGE, row, rank=6)

    def _total(self, held: Sequence[Reservation]) -> int:
        return sum(hold.total_paise for hold in held) + self.shipping_paise

    def _order(self, now: datetime, held: Sequence[Reservation]) -> tuple[object, ...]:
        total = self._total(held)
        percent = percent_of_shipping(self.gst_percents[hold.pk] for hold in held)
        return (
            self.order_id, self.number, self.holder, self.account_id, total, self.shipping_paise,
            percent, included(self.shipping_paise, percent), *self.buyer, self.by_program, now,
        )  # fmt: skip

    def _line(self, hold: Reservation) -> tuple[object, ...]:
        percent = self.gst_percents[hold.pk]
        tax = included(hold.total_paise, percent)
        return (
            self.order_id, hold.pk, hold.name, hold.unit_paise, hold.quantity, percent, tax,
        )  # fmt: skip

    def _payment(self, now: datetime, ends_at: datetime) -> tuple[object, ...]:
        paid, back = (
            page.format(number=self.number) for page in (self.pages.paid, self.pages.back)
        )
        return self.payment_id, self.order_id, self.provider, ends_at, now, paid, back
