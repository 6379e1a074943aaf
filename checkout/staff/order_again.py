"""The form of a question about an order that is sent a second time: the answer is that it was done,
not that somebody else was faster."""

import re
from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.models import User
from django.http import QueryDict

from allo.web.names import one_line
from checkout.models import Order
from checkout.orders import restocking
from checkout.orders.fulfilling import was_refunded

UNITS = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def done_before(verb: str, order: Order, actor: User, sent: QueryDict) -> str:
    """What to say if this form acted before; else ""."""
    if verb not in ACTED:
        return ""
    acted, words = ACTED[verb]
    return words if acted(order, actor, sent) else ""


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


def _cancelled(order: Order, actor: User, sent: QueryDict) -> bool:
    """An order is cancelled once, so the person and the reason say by which form."""
    events = order.order_events.filter(what="cancel", who=actor)
    return events.filter(note=one_line(sent.get("reason", ""))).exists()


ACTED: dict[str, tuple[Callable[[Order, User, QueryDict], bool], str]] = {
    "refund": (_refunded, "This refund was made already. Nothing was refunded twice."),
    "restock": (_restocked, "These units were put back already. Nothing was put back twice."),
    "cancel": (_cancelled, "This order was cancelled already. Nothing was done twice."),
}
