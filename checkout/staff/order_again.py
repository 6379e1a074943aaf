"""The form of a question about orders that is sent a second time: the answer is that it was done,
not that somebody else was faster. If somebody was, the answer says who."""

import re
from collections.abc import Callable, Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.timezone import localtime

from allo.web.names import one_line
from checkout.models import Order
from checkout.orders import restocking
from checkout.orders.fulfilling import was_refunded, was_shipped

UNITS = re.compile(r"[1-9]\d{0,8}", re.ASCII)

Acted = Callable[[Order, User, QueryDict], bool]


def done_before(verb: str, orders: Sequence[Order], actor: User, sent: QueryDict) -> str:
    """What to say if this form acted before, on each of the orders; else ""."""
    acted, words = ACTED.get(verb, (None, ""))
    if not acted or not orders or not all(acted(order, actor, sent) for order in orders):
        return ""
    return words if len(orders) == 1 else words.replace("This order was", "These orders were")


def last_step(order: Order) -> str:
    """The last thing that staff did to it, who did it and when."""
    event = next((event for event in order.order_events.all() if event.who), None)
    if event is None:
        return ""
    return f"Last step: {event.what}, by {event.who}, {localtime(event.at):%-d %b %Y, %H:%M}."


def _refunded(_: Order, __: User, sent: QueryDict) -> bool:
    try:
        return was_refunded(UUID(sent.get("key", "")))
    except ValueError:
        return False


def _restocked(order: Order, actor: User, sent: QueryDict) -> bool:
    texts = {line.pk: sent.get(f"units-{line.pk}", "") for line in order.order_lines.all()}
    units = {line: int(text) for line, text in texts.items() if UNITS.fullmatch(text)}
    seen = sent.get("seen_returned", "")
    if not units or not (seen == "0" or UNITS.fullmatch(seen)):
        return False
    return restocking.was_restocked(order, units=units, seen=int(seen), actor=actor)


def _shipped(order: Order, actor: User, sent: QueryDict) -> bool:
    place, carrier, tracking, note = (
        one_line(sent.get(name, "")) for name in ("warehouse", "carrier", "tracking", "note")
    )
    if not UNITS.fullmatch(place):
        return False
    parcel = {"carrier": carrier, "tracking": tracking}
    return was_shipped(order, warehouse=int(place), actor=actor, note=note, **parcel)


def _once(what: str, words: str) -> Acted:
    """Of what happens to an order once: the person and the words say by which form."""

    def acted(order: Order, actor: User, sent: QueryDict) -> bool:
        events = order.order_events.filter(what=what, who=actor)
        return events.filter(note=one_line(sent.get(words, ""))).exists()

    return acted


ACTED: dict[str, tuple[Acted, str]] = {
    "pack": (_once("pack", "note"), "This order was packed already. Nothing was done twice."),
    "ship": (_shipped, "This parcel was sent already. Nothing was sent twice."),
    "hand-over": (
        _once("hand over", "note"),
        "This order was handed over already. Nothing was done twice.",
    ),
    "deliver": (
        _once("deliver", "note"),
        "This order was delivered already. Nothing was done twice.",
    ),
    "refund": (_refunded, "This refund was made already. Nothing was refunded twice."),
    "restock": (_restocked, "These units were put back already. Nothing was put back twice."),
    "cancel": (
        _once("cancel", "reason"),
        "This order was cancelled already. Nothing was done twice.",
    ),
}
