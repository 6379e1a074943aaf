"""Opens an order for reservations, and its payment at the provider."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Now

from checkout import closing, due
from checkout.commands import (
    Decide,
    DropOrder,
    Hold,
    Offer,
    OpenBefore,
    OpenOrder,
    OrderByProgram,
    OrderOnDelivery,
    PayAgain,
)
from checkout.excuse import excused
from checkout.models import Order, OrderLine, Payment
from checkout.orders import links, reading, statements
from checkout.orders.drafts import Buyer, Draft
from checkout.payments.base import Invitation, Item, Money
from checkout.payments.providers import provider
from reservations.engine.also import Also
from reservations.engine.idempotency import Once, Reply
from reservations.engine.transactions import perform_bag, perform_once
from reservations.models import Reservation


def open_orders(holds: Iterable[Reservation]) -> list[Order]:
    """The open orders that have one of these reservations on a line."""
    paid_for = [hold.pk for hold in holds if hold.paying_since]
    if not paid_for:
        return []
    lines = OrderLine.objects.filter(reservation__in=paid_for, active=True)
    orders = Order.objects.filter(state=Order.State.OPEN, pk__in=lines.values("order"))
    return list(orders.prefetch_related("order_lines__reservation"))


def order_of(reservation: Reservation) -> Order | None:
    """The order that it is on: open, or sold."""
    return Order.objects.filter(
        order_lines__reservation=reservation, order_lines__active=True
    ).first()


def provider_of(order: Order) -> str:
    """The name of the provider of its payment, whatever the setting says now."""
    return order.payments.latest("created_at").provider


def provider_for(held: Reservation) -> str:
    """The name of the provider of its payment: of the open order that it is on, or else of new
    ones."""
    order = order_of(held) if held.paying_since else None
    return provider_of(order) if order else settings.PAYMENT_PROVIDER


def is_same(order: Order, holds: Sequence[Hold], buyer: Buyer) -> bool:
    """Whether the order is open, and these would make the same one."""
    lines = {(line.reservation_id, line.quantity) for line in order.order_lines.filter(active=True)}
    same = lines == {(hold.id, hold.quantity) for hold in holds}
    return order.state == Order.State.OPEN and same and buyer_of(order) == buyer


def buyer_of(order: Order) -> Buyer:
    return Buyer(*(getattr(order, field) for field in Buyer._fields))


def open_order(
    *,
    draft: Draft,
    held: Sequence[Reservation],
    holds: Sequence[Hold],
    offers: tuple[Offer, ...] = (),
    replaces: Sequence[Order] = (),
    also: Iterable[Also] = (),
    once: Once,
) -> Reply:
    """Opens the order of `held`, as the buyer saw it (`holds`), and its first payment, under the
    form's key; what is paid on delivery is sold at once. Raises what is not stored."""
    lines = [line for order in replaces for line in order.order_lines.all()]
    command = (OrderOnDelivery if draft.on_delivery else OpenOrder)(
        **_locks([*held, *(line.reservation for line in lines)]),
        above=(statements.orders(*(order.pk for order in replaces)),) if replaces else (),
        draft=draft,
        holds=tuple(holds),
        offers=offers,
        replaces=tuple(_before(order) for order in replaces),
        also=tuple(also),
    )
    return perform_once(command, once)


def order_by_program(
    draft: Draft, held: Reservation, offers: tuple[Offer, ...] = ()
) -> OrderByProgram:
    """Opens an order of one reservation, as it is held now."""
    hold = Hold(held.pk, held.quantity, held.unit_paise)
    return OrderByProgram(**_locks([held]), draft=draft, holds=(hold,), offers=offers)


def pay_again(before: Payment, held: Reservation) -> PayAgain:
    """Makes another payment of an order of one reservation."""
    return PayAgain(
        **_locks([held]),
        above=(
            statements.orders(before.order_id),
            statements.payments(before.pk),
            statements.unclosed_payments_of(before.order_id),
        ),
        order_id=before.order_id,
        payment_id=uuid4(),
        before=before.pk,
        provider=before.provider,
        pages=(before.success_url, before.cancel_url),
    )


def drop(order: Order, *, if_dead: bool = False) -> None:
    """Ends an open order without a sale. An order that is not open any more stays as it is."""
    lines = reading.active_lines(order.pk)
    perform_bag(
        DropOrder(
            **_locks(line.reservation for line in lines),
            above=(statements.orders(order.pk),),
            order=OpenBefore(order.pk, tuple(line.reservation_id for line in lines)),
            if_dead=if_dead,
        )
    )


def decide_about(payment: Payment, money: tuple[Money, ...]) -> None:
    """Takes the money for the whole order, or gives it back, in one transaction."""
    order = payment.order
    lines = reading.active_lines(order.pk)
    perform_bag(
        Decide(
            **_locks(line.reservation for line in lines),
            above=(
                statements.orders(order.pk),
                statements.given_up(payment.pk),
                statements.charges_of(order.pk),
            ),
            order_id=order.pk,
            payment_id=payment.pk,
            provider=payment.provider,
            lines=tuple((line.reservation_id, line.quantity) for line in lines),
            money=money,
        )
    )


def payable(last: Payment) -> Payment | None:
    """The payment of an order that can still be paid: its last one, as it was just read, or a new
    one if that has ended or was missed. None if it is too late to begin paying."""
    if last.closed_at or closing.is_missed(last):
        return _another(last.order)
    # Without a lock: it is opened only if it is not closed meanwhile.
    late = last.order.state != Order.State.OPEN or last.ends_soon
    return last if last.url or not late else None


def begun(payment: Payment, *, page: bool = True) -> Payment:
    """The payment, opened at its provider: with a page, or for a program that pays without one. A
    closed payment stays as it is. Raises `ProviderError`."""
    if payment.session_ref is None and payment.closed_at is None:
        bank = provider(payment.provider)
        with excused(payment.order):
            session = (bank.open if page else bank.prepare)(invitation(payment))
        # Stored before anybody pays. If the payment was closed meanwhile nobody will.
        unopened = Payment.objects.filter(pk=payment.pk, session_ref=None, closed_at=None)
        opened = {"session_ref": session.reference, "url": session.url}
        if unopened.update(**opened, look_at=Now(), looks=0):
            vars(payment).update(opened)
        else:
            payment.refresh_from_db()
    return payment


@transaction.atomic
def _another(order: Order) -> Payment | None:
    """The payment that can still be paid; made if there is none."""
    # Of two requests only one makes it, and none for an order that was dropped meanwhile.
    (now,) = reading.locked_order(order.pk)
    payments = reading.payments(order.pk)
    payment = next((one for one in payments if one.closed_at is None), None)
    if payment and payment.url:
        return payment
    if now.state != Order.State.OPEN or due.is_about_to_end(now):
        return None
    if payment and not (closing.is_missed(payment) and closing.close_missed(payment)):
        return payment
    again = {name: getattr(payments[0], name) for name in ("provider", "success_url", "cancel_url")}
    return Payment.objects.create(order=order, expires_at=first_end(order), **again)


def invitation(payment: Payment) -> Invitation:
    """Made from rows that never change, so a retry sends the same. A program's buyer has no cookie
    of the shop, so the pages open by the signed link, which is stored nowhere."""
    order = payment.order
    pages = [payment.success_url, payment.cancel_url]
    if order.by_program:
        pages = [links.with_key(page, order) for page in pages]
    success_url, cancel_url = pages
    items = (
        Item(name=line.name, unit_paise=line.unit_paise, quantity=line.quantity)
        for line in reading.lines(order.pk)
    )
    return Invitation(
        payment_id=payment.pk,
        order_number=order.number,
        items=tuple(items),
        shipping_paise=order.shipping_paise,
        email=order.email,
        success_url=success_url,
        cancel_url=cancel_url,
        begins_at=payment.created_at,
        expires_at=payment.expires_at,
    )


def first_end(order: Order) -> datetime:
    """When the first of its holds ends."""
    ends: datetime = order.order_lines.aggregate(at=Min("reservation__expires_at"))["at"]
    return ends


def _locks(holds: Iterable[Reservation]) -> dict[str, Any]:
    """What a command on these holds locks: inventory rows and reservations. Neither changes."""
    found = list(holds)
    return {
        "rows": tuple(sorted({hold.inventory_id for hold in found})),
        "reservation_ids": tuple({hold.pk for hold in found}),
    }


def _before(order: Order) -> OpenBefore:
    return OpenBefore(order.pk, tuple(line.reservation_id for line in order.order_lines.all()))
