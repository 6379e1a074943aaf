"""What an invoice shows: lines and shipping with their tax, the buyer, and refunds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from checkout.models import Charge, Order, OrderLine, Refund
from checkout.orders.places import GST_CODES, WITHOUT_LEGISLATURE, state_of
from checkout.orders.showing import Shown, region_name


@dataclass(frozen=True, slots=True)
class Row:
    """`taxes` are the parts of its tax, in paise, by `Invoice.taxes`. They and the taxable value
    add up to its total exactly. `quantity` is null for shipping."""

    name: str
    quantity: int | None
    gst_percent: int
    taxes: tuple[int, ...]
    total: int

    @property
    def taxable(self) -> int:
        return self.total - sum(self.taxes)


@dataclass(frozen=True, slots=True)
class Credit:
    """A refund, done or on its way."""

    at: datetime
    what: str
    amount: int


class Invoice:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.shown = Shown(order)

    @property
    def seller(self) -> tuple[str, str, str]:
        """The seller's name, address and GSTIN."""
        order = self.order
        return order.seller_name, order.seller_address, order.seller_gstin

    @property
    def place(self) -> str:
        """The state of supply: where it is sent to. For an order that is collected it is the state
        where the seller is registered, as a warehouse in another state needs a GSTIN of that
        state."""
        return self.order.region or self._seat

    @property
    def place_name(self) -> str:
        return f"{region_name(self.place)} ({GST_CODES[self.place]})"

    @property
    def taxes(self) -> tuple[str, ...]:
        """Within a state the tax is shared between it and the Union."""
        if self.place != self._seat:
            return ("IGST",)
        return ("CGST", "UTGST" if self.place in WITHOUT_LEGISLATURE else "SGST")

    @cached_property
    def rows(self) -> list[Row]:
        return [*map(self._row, self.shown.lines), *self._shipping()]

    def _row(self, line: OrderLine) -> Row:
        taxes = self._shared(line.gst_paise)
        return Row(line.name, line.quantity, line.gst_percent, taxes, line.total_paise)

    def _shipping(self) -> Iterator[Row]:
        """Shipping. For an order whose shipping was charged without tax, the page shows it beside
        the rows."""
        order = self.order
        if order.shipping_paise and order.shipping_gst_percent is not None:
            taxes = self._shared(order.shipping_gst_paise)
            yield Row("Shipping", None, order.shipping_gst_percent, taxes, order.shipping_paise)

    @property
    def sums(self) -> tuple[int, ...]:
        """The sums of all rows: taxable value and taxes."""
        columns = [(row.taxable, *row.taxes) for row in self.rows]
        return tuple(map(sum, zip(*columns, strict=True)))

    @cached_property
    def credits(self) -> list[Credit]:
        return list(self._credits())

    @property
    def left_paise(self) -> int:
        """The total less what was refunded."""
        return self.order.total_paise - sum(credit.amount for credit in self.credits)

    @property
    def _seat(self) -> str:
        return state_of(self.order.seller_gstin)

    def _shared(self, paise: int) -> tuple[int, ...]:
        """In two halves; the first gets an odd paisa."""
        half = paise // 2
        return (paise,) if len(self.taxes) == 1 else (paise - half, half)

    def _credits(self) -> Iterator[Credit]:
        taken = Refund.objects.filter(
            charge__order=self.order, charge__decision=Charge.Decision.TAKE
        )
        refunds = taken.exclude(state=Refund.State.FAILED).select_related("line")
        for refund in refunds.order_by("created_at"):
            what = f"{refund.units} × {refund.line.name}" if refund.line else "Of the whole order"
            yield Credit(refund.done_at or refund.created_at, what, refund.amount)
