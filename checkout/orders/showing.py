"""What the page of an order shows: how far it is, what became of its money, and what the shopper
can do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import phonenumbers
from django.db.models import prefetch_related_objects
from django.utils import timezone
from localflavor.in_.in_states import STATE_CHOICES

from allo.web.parts import seen_of
from checkout.models import Charge, Order, OrderLine, Payment
from checkout.orders import reading
from checkout.orders.money_back import Moved, moves_of
from checkout.orders.parcels import Parcel, Units, in_parcels, place_of, that_left
from checkout.payments.providers import provider
from reservations.models import Reservation

State = Order.State
TITLES: dict[str, str] = {
    "asking": "Asking your bank",
    "unopened": "Not paid yet",
    "partly": "Partly on its way",
    State.OPEN: "Waiting for your payment",
    State.DROPPED: "Not ordered",
    State.PLACED: "Being completed",
    State.PAID: "Paid",
    State.PACKED: "Packed",
    State.SHIPPED: "On its way",
    State.DELIVERED: "Delivered",
    State.CANCELLED: "Cancelled",
}
# The names for an order that is collected, or paid on delivery.
COLLECTED: dict[str, str] = {State.PACKED: "Ready to be collected", State.DELIVERED: "Collected"}
ON_DELIVERY: dict[str, str] = {State.OPEN: "Being completed", State.PAID: "Ordered"}


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is null for a step that is still to come."""

    name: str
    at: datetime | None


class Shown:
    """An order, with all that its page needs. `returned` means that the shopper just came back from
    the payment page."""

    def __init__(self, order: Order, *, returned: bool = False) -> None:
        self.order = order
        self.returned = returned

    @cached_property
    def lines(self) -> list[OrderLine]:
        return reading.lines_with_stock(self.order.pk)

    @cached_property
    def payment(self) -> Payment:
        return reading.payments(self.order.pk)[0]

    @cached_property
    def charges(self) -> list[Charge]:
        charges = reading.charges(self.order.pk)
        prefetch_related_objects([one for one in charges if one.refunded_paise], "refunds")
        return charges

    @property
    def on_delivery(self) -> bool:
        return self.payment.provider == "none"

    @property
    def situation(self) -> str:
        """The state, or what is special about an order that is open or on its way."""
        if self.order.state != State.OPEN or self.on_delivery:
            return progress_of(self.order, self.lines)
        if not self.payment.url and provider(self.payment.provider).origin:
            return "unopened"
        return "asking" if self.returned else self.order.state

    @property
    def title(self) -> str:
        return title_of(self.order, self.situation, on_delivery=self.on_delivery)

    @property
    def region(self) -> str:
        return region_name(self.order.region)

    @property
    def has_invoice(self) -> bool:
        """Whether an invoice can be shown. There is none without the seller, which earlier versions
        did not keep, or without the address: by both the taxes are shared."""
        order = self.order
        return bool(order.invoice_number and order.seller_gstin and not order.is_forgotten)

    @property
    def gst_paise(self) -> int:
        return sum(line.gst_paise for line in self.lines) + self.order.shipping_gst_paise

    @cached_property
    def packed(self) -> list[Units]:
        return in_parcels(self.lines)

    @property
    def units(self) -> int:
        return sum(units for _, units in self.packed)

    @property
    def kept(self) -> list[OrderLine]:
        """The lines of which units are in a parcel; all lines if there is nothing to send."""
        return [line for line, _ in self.packed] or self.lines

    @property
    def warehouses(self) -> str:
        return listed(_names(self.kept))

    @property
    def places(self) -> int:
        return len({place_of(line) for line in self.kept})

    @property
    def behind(self) -> str:
        """The warehouses whose parcels have not left."""
        return listed(_names(line for line in self.kept if not line.shipped_at))

    @property
    def phone(self) -> str:
        return grouped(self.order.phone)

    @property
    def ends_at(self) -> datetime:
        """When the first of its holds ends."""
        return min(line.reservation.expires_at for line in self.lines)

    @property
    def is_paid(self) -> bool:
        """On delivery it is once it is delivered."""
        order = self.order
        paid_at = order.delivered_at if self.on_delivery else order.paid_at
        return bool(paid_at and not order.cancelled_at)

    @property
    def due_paise(self) -> int:
        """To be paid on delivery."""
        return self.order.total_paise - self.returned_paise

    @property
    def returned_paise(self) -> int:
        """What was refunded, or is about to be, of the order's own money."""
        taken = (charge for charge in self.charges if charge.decision == Charge.Decision.TAKE)
        return sum(charge.refunded_paise for charge in taken)

    # --- what became of its holds and its money -----------------------------------------------

    @cached_property
    def dead(self) -> list[Reservation]:
        """The holds of a dropped order that ended before it was dropped, which is why it was."""
        dropped_at = self.order.dropped_at
        holds = [line.reservation for line in self.lines]
        return [
            hold for hold in holds if dropped_at and hold.ended_at and hold.ended_at <= dropped_at
        ]

    @cached_property
    def later(self) -> Order | None:
        """The order that its units are on now."""
        holds = [line.reservation_id for line in self.lines]
        others = Order.objects.filter(order_lines__reservation__in=holds, order_lines__active=True)
        return others.exclude(pk=self.order.pk).first() if self.order.dropped_at else None

    @cached_property
    def living(self) -> list[Reservation]:
        """The holds of a dropped order that can be ordered again."""
        if not self.order.dropped_at or self.later:
            return []
        return [line.reservation for line in self.lines if is_living(line.reservation)]

    @cached_property
    def money(self) -> list[Moved]:
        """All that was refunded, or is about to be."""
        return [moved for charge in self.charges for moved in moves_of(charge)]

    @property
    def parcels(self) -> list[Parcel]:
        return that_left(self.packed)

    @property
    def steps(self) -> list[Step]:
        """Of an order that is sold, in the order in which it goes through them."""
        order, collects = self.order, self.order.is_collected
        steps = [Step("Ordered", order.placed_at)]
        if not self.on_delivery:
            steps.append(Step("Paid", order.paid_at))
        steps.append(Step("Ready to be collected" if collects else "Packed", order.packed_at))
        if not collects:
            steps.append(Step("On its way", order.shipped_at))
        return [*steps, Step("Collected" if collects else "Delivered", order.delivered_at)]

    @cached_property
    def seen(self) -> str:
        state = (
            self.situation,
            self.money,
            self.payment.pk,
            self.ends_at,
            [(line.carrier, line.tracking, line.returned_units) for line in self.lines],
            [hold.pk for hold in self.living],
            self.order.invoice_number,
        )
        return seen_of(state)


def progress_of(order: Order, lines: Iterable[OrderLine]) -> str:
    """The state, or "partly" for an order of which a parcel has left, and another one has not."""
    has_left = any(line.shipped_at for line in lines)
    return "partly" if has_left and order.state == State.PACKED else order.state


def title_of(order: Order, situation: str, *, on_delivery: bool) -> str:
    names = TITLES | (ON_DELIVERY if on_delivery else {})
    return (names | (COLLECTED if order.is_collected else {}))[situation]


def region_name(letters: str) -> str:
    return str(dict(STATE_CHOICES).get(letters, letters))


def grouped(phone: str) -> str:
    """The number as people write it."""
    number = phonenumbers.parse(phone)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def is_living(hold: Reservation) -> bool:
    """By the clock of this machine; the page that it leads to decides by the database's."""
    return hold.is_pending and hold.expires_at > timezone.now()


def _names(lines: Iterable[OrderLine]) -> list[str]:
    return [*dict.fromkeys(line.reservation.inventory.warehouse.name for line in lines)]


def listed(names: Sequence[str]) -> str:
    """For example "Delhi, Mumbai and Pune"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
