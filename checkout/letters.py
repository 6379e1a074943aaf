"""What the mail to buyers shows: looked up when it is sent, so that it tells no old state."""

from collections.abc import Mapping
from typing import Any

from allo.outbox.letters import shortened
from checkout.models import Charge, Order, OrderLine, Refund
from checkout.orders.links import link_to
from checkout.orders.money_back import was_paid_before, worth
from checkout.orders.showing import Shown
from inventory.models import Warehouse

Facts = Mapping[str, Any]


def of_order(context: Facts) -> Facts:
    """The facts of an order's mail. The link is made here, so it is stored nowhere."""
    return _facts(Order.objects.get(pk=context["order"]))


def of_parcel(context: Facts) -> Facts:
    """The lines that are kept in the warehouse with the code `parcel` leave together."""
    facts = of_order(context)
    packed = facts["shown"].packed
    sent = [each for each in packed if _warehouse(each[0]).code == context["parcel"]]
    return {**facts, "sent": sent, "rest": [line for line, _ in packed if not line.shipped_at]}


def _warehouse(line: OrderLine) -> Warehouse:
    return line.reservation.inventory.warehouse


def of_refund(context: Facts) -> Facts:
    refund = Refund.objects.select_related("line", "charge__order").get(pk=context["refund"])
    charge = refund.charge
    return {
        **_facts(charge.order),
        "refund": refund,
        "amount": worth(refund.amount, charge.currency),
        "is_less": charge.provider == "none" and not was_paid_before(refund, charge.order),
    }


def of_charge(context: Facts) -> Facts:
    charge = Charge.objects.select_related("order").get(pk=context["charge"])
    amount = worth(charge.amount, charge.currency)
    facts = _facts(charge.order)
    return {**facts, "amount": amount, "why": _why(charge, facts["shown"])}


def _facts(order: Order) -> Facts:
    shown = Shown(order)
    facts = {"order": order, "shown": shown, "buyer": _buyer(shown), "link": link_to(order)}
    return {**facts, "invoice": link_to(order, "invoice")} if shown.has_invoice else facts


def _buyer(shown: Shown) -> list[str]:
    """Name and address, each on one line, whatever was typed."""
    order = shown.order
    town = f"{order.city} {order.pin}"
    parts = (order.name, order.line1, order.line2, town, shown.region)
    return [line for line in map(shortened, parts) if line]


def _why(charge: Charge, shown: Shown) -> str:
    """The reason why the money bought nothing."""
    order = shown.order
    if (charge.amount, charge.currency) != (order.total_paise, "INR"):
        return "wrong"
    if order.placed_at:
        return "twice"
    return "late" if shown.dead else "closed"
