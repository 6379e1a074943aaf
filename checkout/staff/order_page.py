"""What the page of an order tells staff: its parcels, its money, its history and its mail."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import QuerySet

from allo.outbox.models import Message
from catalog.templatetags.money import inr
from checkout import mail
from checkout.models import Charge, Order, OrderLine
from checkout.orders.showing import Shown
from checkout.staff.order_forms import kept_in, left_of, waiting_parcels
from inventory.models import Warehouse

State = Order.State
NEXT = {
    State.OPEN: "Nothing: it waits for the payment.",
    State.DROPPED: "Nothing: it was not paid in time, or given up.",
    State.PLACED: "Nothing: its money is being collected.",
    State.SHIPPED: "Press Deliver once it has arrived.",
    State.DELIVERED: "Nothing.",
    State.CANCELLED: "Nothing: its units are back on the shelf.",
}


def next_step(order: Order) -> str:
    if order.state not in (State.PAID, State.PACKED):
        return NEXT[State(order.state)]
    if not (waiting := waiting_parcels(order)):
        return "Cancel it: all of its units are back on the shelf."
    if order.state == State.PAID:
        return "Pack it: print the packing slip, then press Pack."
    if order.is_collected:
        return f"Hand it over to whoever names {order.number}."
    places = ", ".join(warehouse.name for warehouse in waiting)
    parcels = "the parcel" if len(waiting) == 1 else f"{len(waiting)} parcels"
    return f"Send {parcels} from {places}."


# What staff did, by the name of its event.
STEPS = {
    "pack": "Packed",
    "ship": "Parcel sent",
    "correct": "Parcel corrected",
    "hand over": "Handed over",
    "deliver": "Delivered",
    "refund": "Refunded",
    "restock": "Units put back",
    "cancel": "Cancelled",
    "delete account": "Account deleted",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """`who` is null for what the shop did by itself."""

    what: str
    at: datetime
    note: str = ""
    who: User | None = None


class Dossier(Shown):
    """An order with all that staff see of it."""

    @cached_property
    def lines(self) -> list[OrderLine]:
        """As the admin has read them already."""
        return list(self.order.order_lines.all())

    @property
    def kept_parcels(self) -> dict[Warehouse, list[OrderLine]]:
        return kept_in(self.order)

    @property
    def address(self) -> str:
        order = self.order
        if order.is_forgotten:
            return "Not kept any more"
        if order.is_collected:
            return "Collected at the warehouse"
        town = f"{order.city} {order.pin}, {self.region}"
        return ", ".join(filter(None, (order.line1, order.line2, town)))

    @property
    def left(self) -> str:
        return inr(left_of(self.order))

    @property
    def disputes(self) -> list[Charge]:
        return [charge for charge in self.charges if charge.disputed_at]

    @property
    def history(self) -> list[Happened]:
        """What staff did, and what happened by itself, the latest first."""
        events = list(self.order.order_events.select_related("who"))
        done = [
            Happened(
                STEPS.get(event.what, event.what.capitalize()), event.at, event.note, event.who
            )
            for event in events
        ]
        names = {step.what for step in done}
        done += [Happened(name, at) for name, at in self._times if name not in names]
        return sorted(done, key=lambda step: step.at, reverse=True)

    @property
    def mails(self) -> QuerySet[Message]:
        return mail.messages_of(self.order)

    @property
    def _times(self) -> list[tuple[str, datetime]]:
        """Each state that it reached, and when."""
        order = self.order
        others = [state for state in State if state != State.OPEN]
        reached = [(state.label, getattr(order, f"{state.value}_at")) for state in others]
        return [("Opened", order.opened_at), *((str(name), at) for name, at in reached if at)]
