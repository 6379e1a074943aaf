"""Orders and their money, written as the shop writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone

from checkout.models import Charge, Order, OrderLine, Payment, Refund
from checkout.orders.tax import included
from reservations import services
from reservations.models import Reservation
from tests.reservations.test_database_refuses import refused_by
from tests.shopping import holding, press
from tests.stock import stocked

State = Order.State
_numbers = count()

BUYER = {
    "name": "Asha Rao",
    "email": "asha@example.org",
    "phone": "+919845012345",
    "line1": "12 Church Street",
    "city": "Bengaluru",
    "region": "KA",
    "pin": "560001",
}
SELLER = {
    "seller_name": "Allo & Daughters",
    "seller_address": "14 Lake Road, Bengaluru",
    "seller_gstin": "29ABCDE1234F1Z5",
}
ERASED = dict.fromkeys([*BUYER, "line2"], "")
# How an order comes to each state: the one before.
BEFORE = {
    State.DROPPED: State.OPEN,
    State.PLACED: State.OPEN,
    State.PAID: State.PLACED,
    State.PACKED: State.PAID,
    State.SHIPPED: State.PACKED,
    State.DELIVERED: State.SHIPPED,
    State.CANCELLED: State.PAID,
}


@contextmanager
def refuses(constraint: str) -> Iterator[None]:
    """The same as `refused_by`, and the transaction around it goes on."""
    with refused_by(constraint), transaction.atomic():
        yield


def opened(*holds: Reservation, shipping: int = 0, **more: object) -> Order:
    """An order of these holds and an invitation to pay it."""
    made: dict[str, Any] = {
        "number": f"AL-{next(_numbers):04}-TEST",
        "holder": holds[0].holder,
        "total_paise": sum(hold.total_paise for hold in holds) + shipping,
        "shipping_paise": shipping,
        "shipping_gst_percent": 18,
        "shipping_gst_paise": included(shipping, 18),
        **BUYER,
    }
    order = Order.objects.create(**{**made, **more})
    for hold in holds:
        line(order, hold)
    invited(order)
    return order


def line(order: Order, hold: Reservation, **more: Any) -> OrderLine:
    made: dict[str, Any] = {
        "name": hold.name,
        "unit_paise": hold.unit_paise,
        "quantity": hold.quantity,
        "gst_percent": 18,
        "gst_paise": included(hold.total_paise, 18),
    }
    return OrderLine.objects.create(order=order, reservation=hold, **{**made, **more})


def invited(order: Order, **more: Any) -> Payment:
    address = f"https://allo.example/orders/{order.number}/"
    made = {
        "provider": "bank",
        "expires_at": timezone.now() + timedelta(minutes=15),
        "success_url": f"{address}paid/",
        "cancel_url": address,
    }
    return Payment.objects.create(order=order, **{**made, **more})


def charged(order: Order, decision: str = "take", **more: Any) -> Charge:
    """Money of its payment; what is given back may be anything."""
    payment = order.payments.get()
    made = {
        "payment": payment,
        "provider": payment.provider,
        "reference": f"pi_{next(_numbers)}",
        "amount": order.total_paise,
        "fact": "captured",
        "decision": decision,
    }
    return Charge.objects.create(order=order, **{**made, **more})


def sell(order: Order) -> None:
    """As the engine does before the charge is written."""
    for sold in order.order_lines.all():
        services.confirm(reservation_id=sold.reservation_id)


def move(order: Order, state: str) -> None:
    if state == State.SHIPPED:
        order.order_lines.filter(order__state="packed").update(shipped_at=timezone.now())
    times = {} if state == State.OPEN else {f"{state}_at": timezone.now()}
    Order.objects.filter(pk=order.pk).update(state=state, **times)


def brought(order: Order, state: str) -> Order:
    """Moves an open order along its states to this one."""
    if state == State.PLACED:
        sell(order)
        charged(order)
    elif state != State.OPEN:
        move(brought(order, BEFORE[State(state)]), state)
    order.refresh_from_db()
    return order


def refund(charge: Charge, amount: int, **more: Any) -> Refund:
    made = {"reason": "It came broken", **more}
    return Refund.objects.create(charge=charge, amount=amount, **made)


def on_delivery(client: Client, product: str = "tidal", **form: str) -> Order:
    press(client, holding(client, stocked(5, product=product)), "confirm", **form)
    return Order.objects.latest("opened_at")
