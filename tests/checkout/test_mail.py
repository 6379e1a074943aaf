"""What the mail to buyers says, of each kind and by both ways to pay."""

import re
from html import unescape
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from allo.outbox import letters
from allo.outbox.models import Message
from checkout import mail
from checkout.models import Charge, Order, Refund
from checkout.orders import fulfilling
from checkout.orders.cancelling import cancel, restock_and_cancel
from checkout.orders.links import link_to
from checkout.payments.base import RefundSeen, RefundState
from checkout.recording import refund_failed, refund_is
from inventory.models import Warehouse
from reservations import services
from tests.checkout.orders import brought, charged, move, on_delivery, opened, refund, sell
from tests.shopping import holding
from tests.stock import stocked

pytestmark = pytest.mark.django_db

TIDAL, BOTH, WITH_SHIPPING = (
    f"₹\N{NO-BREAK SPACE}{rupees}" for rupees in ("3,850", "7,700", "7,799")
)


def ordered(client: Client, quantity: int = 1, product: str = "tidal", **more: Any) -> Order:
    """To be paid by a bank, and open."""
    hold = holding(client, stocked(5, product=product), quantity)
    return opened(hold, **{"phone": "+919845012345", **more})


def taken(order: Order) -> Charge:
    return order.charges.get(decision=Charge.Decision.TAKE)


def done(back: Refund) -> RefundSeen:
    return RefundSeen(
        reference=f"re_{back.pk}", refund_id=back.pk, amount=back.amount, state=RefundState.DONE
    )


def said(kind: str, order: Order) -> str:
    """The text of the order's one mail of this kind. Its page says the same, and the same
    amounts."""
    message = Message.objects.get(kind=kind, key__contains=str(order.pk))
    return read(message, order)


def read(message: Message, order: Order) -> str:
    made, text, page = letter(message)
    assert "{" not in text + re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)
    assert amounts(text + made.subject) == amounts(page)
    assert link_to(order) in text
    assert f'href="{link_to(order)}"' in page
    assert "key" not in message.context
    assert order.number in made.subject + text
    return f"{made.subject}\n{text}"


def letter(message: Message) -> tuple[EmailMultiAlternatives, str, str]:
    """With its text and its page."""
    made = letters.letter(message)
    return made, str(made.body), str(made.alternatives[0][0])


def amounts(text: str) -> set[str]:
    return set(re.findall(r"₹\N{NO-BREAK SPACE}[\d,.]*\d", unescape(text)))


def test_a_receipt_says_what_to_whom_and_what_happens_next(client) -> None:
    order = brought(ordered(client, 2, shipping=9_900), "paid")
    mail.receipt(order)
    text = said("receipt", order)
    for words in (
        f"Receipt of order {order.number}", f"Your payment of {WITH_SHIPPING} arrived on",
        f"2 × {TIDAL}, from ", f": {BOTH}\n", "Shipping: ₹\N{NO-BREAK SPACE}99\n",
        f"Total: {WITH_SHIPPING}\n", "Includes GST: ₹\N{NO-BREAK SPACE}1,189.68\n",
        "Send to:\nAsha Rao\n12 Church Street\nBengaluru 560001\nKarnataka\n+91 98450 12345\n",
        "you get a mail with the carrier",
    ):  # fmt: skip
        assert words in text, words
    assert "delivery" not in text


def test_a_receipt_on_delivery_says_what_to_pay_there(client) -> None:
    order = on_delivery(client)
    text = said("receipt", order)
    assert f"Your order {order.number}\n" in text
    assert f"You pay {TIDAL} on delivery." in text
    assert f"at your door, where you pay {TIDAL}" in text
    assert "arrived" not in text


def test_a_receipt_of_what_is_collected_says_where(client) -> None:
    order = on_delivery(client, delivery="collect")
    text = said("receipt", order)
    assert "Shipping: None, it is collected" in text
    assert "Collect at: blr-01\nFor:\nAsha Rao\n" in text
    assert f"with the number {order.number}, as soon as the order's page says" in text


def test_a_receipt_that_was_held_up_tells_no_old_state(client) -> None:
    order = on_delivery(client)
    restock_and_cancel(order, of=(Order.State.PAID,), note="Broken")
    text = said("receipt", order)
    assert "Since then, the order has moved on: Cancelled." in text
    assert "you get a mail with the carrier" not in text


def test_the_parcel_of_each_warehouse_is_announced_with_carrier_and_number(
    client, admin_user
) -> None:
    rows = [stocked(5), stocked(5, product="lyra", warehouse="del-01")]
    holds = [holding(client, row) for row in rows]
    order = brought(opened(*holds, phone="+919845012345"), "packed")
    for row, carrier, tracking in zip(
        rows, ("Blue Dart", "Delhivery"), ("BD 4471", ""), strict=True
    ):
        fulfilling.ship(
            order, warehouse=row.warehouse, carrier=carrier, tracking=tracking, actor=admin_user
        )
        if carrier == "Blue Dart":
            first = said("shipped", order)
    assert f"On its way: order {order.number}\nThis has left for you, by Blue Dart" in first
    assert ", number BD 4471:\n\n1 × Tidal, from blr-01\n\nThe rest of the order follows" in first
    second = read(Message.objects.get(key=f"shipped:{order.pk}:del-01"), order)
    assert "by Delhivery:\n\n1 × Lyra, from del-01\n\nIt goes to:\nAsha Rao" in second
    assert "pay" not in first + second


def test_a_parcel_on_delivery_says_what_is_left_to_pay(client, admin_user) -> None:
    order = on_delivery(client)
    refund(taken(order), 85_000)
    move(order, "packed")
    [warehouse] = Warehouse.objects.all()
    fulfilling.ship(order, warehouse=warehouse, carrier="Blue Dart", actor=admin_user)
    assert "You pay ₹\N{NO-BREAK SPACE}3,000 on delivery." in said("shipped", order)


def test_a_refund_says_how_much_for_what_and_how_long_it_takes(client) -> None:
    order = brought(ordered(client, 2), "paid")
    line = order.order_lines.get()
    back = refund(taken(order), 385_000, line=line, units=1, reason="Scratched by us")
    mail.refunded(back)
    text = read(Message.objects.get(key=f"refunded:{back.pk}"), order)
    assert f"₹ 3,850 goes back to you: order {order.number}\n" in text
    assert f"We refunded {TIDAL} of order {order.number}, for 1 × Tidal. Your bank shows" in text
    assert "within 10 working days" in text
    assert "Scratched" not in text, "the reason is for the staff"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("paid", "On delivery, ₹\N{NO-BREAK SPACE}3,000 is left to pay."),
        ("delivered", "You paid on delivery, so our staff give it back to you."),
    ],
)
def test_a_refund_on_delivery_is_less_to_pay_or_given_back(client, state, words) -> None:
    order = on_delivery(client)
    for reached in ("packed", "shipped", "delivered") if state == "delivered" else ():
        move(order, reached)
    back = refund(taken(order), 85_000)
    mail.refunded(back)
    text = read(Message.objects.get(key=f"refunded:{back.pk}"), order)
    assert words in text
    assert "Your bank" not in text


def test_a_refund_just_before_the_delivery_was_never_paid(client) -> None:
    """Its mail is written when it is sent, which may be after the delivery."""
    order = on_delivery(client)
    move(order, "packed")
    back = refund(taken(order), 85_000)
    mail.refunded(back)
    for reached in ("shipped", "delivered"):
        move(order, reached)
    text = read(Message.objects.get(key=f"refunded:{back.pk}"), order)
    assert f"less to pay: order {order.number}" in text
    assert f"You paid ₹\N{NO-BREAK SPACE}850 less for order {order.number}" in text
    assert "give it back" not in text
    assert "is left to pay" not in text


def test_a_cancelled_order_says_what_goes_back(client) -> None:
    order = brought(ordered(client), "paid")
    cancel(order, reason="Broken")
    text = said("order_cancelled", order)
    way = "goes back to the card or account that you paid with. Your bank shows it within 10 "
    assert f"{TIDAL}, which is all that you paid, {way}" in text
    assert "Broken" not in text


def test_what_a_cancelled_order_gives_back_is_said_once(client) -> None:
    order = brought(ordered(client), "paid")
    cancel(order, reason="Broken")
    [back] = taken(order).refunds.all()
    refund_is(back, done(back))
    assert [message.kind for message in mail.messages_of(order)] == ["order_cancelled"]


def test_a_refund_after_the_bank_refused_that_of_a_cancelled_order_has_its_own_mail(client) -> None:
    order = brought(ordered(client), "paid")
    cancel(order, reason="Broken")
    [refused] = taken(order).refunds.all()
    refund_failed(refused)
    assert "What you paid could not be sent back yet." in said("order_cancelled", order)
    again = refund(taken(order), refused.amount)
    refund_is(again, done(again))
    assert f"We refunded {TIDAL}" in read(Message.objects.get(key=f"refunded:{again.pk}"), order)


def test_a_cancelled_order_on_delivery_says_that_nothing_was_charged_and_no_other_mail_comes(
    client,
) -> None:
    order = on_delivery(client)
    cancel(order, reason="Broken")
    order.refresh_from_db()
    mail.refunded(taken(order).refunds.get())
    assert "Nothing was charged, and there is nothing to pay" in said("order_cancelled", order)
    assert not Message.objects.filter(kind="refunded").exists()


def test_an_order_that_the_bank_did_not_pay_says_that_nothing_was_deducted(client) -> None:
    order = ordered(client)
    sell(order)
    charge = charged(order, fact="authorised")
    Charge.objects.filter(pk=charge.pk).update(fact="void")
    restock_and_cancel(order, of=(Order.State.PLACED,), note="The bank did not pay")
    assert "Your bank did not pay in the end" in said("order_cancelled", order)


@pytest.mark.parametrize(
    ("state", "money", "amount", "words"),
    [
        ("let go", {}, "₹ 3,850", "when what you wanted to order was no longer held for you"),
        ("dropped", {}, "₹ 3,850", "arrived after that payment had been closed"),
        ("paid", {}, "₹ 3,850", "arrived after the order had been paid already"),
        ("open", {"amount": 100}, "₹ 1", f"of the order, which is {TIDAL}."),
        ("open", {"currency": "USD"}, "USD 3,850.00", f"of the order, which is {TIDAL}."),
    ],
    ids=["late", "closed", "twice", "wrong amount", "wrong currency"],
)
def test_money_that_bought_nothing_says_why_it_comes_back(
    client, state, money, amount, words
) -> None:
    order = ordered(client)
    if state == "let go":
        services.release(reservation_id=order.order_lines.get().reservation_id)
        state = "dropped"
    charge = charged(brought(order, state), "give_back", **money)
    mail.money_comes_back(charge)
    text = read(Message.objects.get(key=f"money_comes_back:{charge.pk}"), order)
    assert f"Your money comes back: {amount}\n" in text
    assert words in text
    assert "Nothing was bought by it, and all of it goes back to you by itself." in text


LONG = "x" * 80
TYPED: dict[str, Any] = {
    "name": "<img src=x onerror=alert(1)> עברית 🦊",
    "line1": f"<script>1</script>{LONG}"[:120],
    "line2": "2nd floor\r\nBcc: all@example.org",
    "city": "\N{RIGHT-TO-LEFT OVERRIDE}erolagnaB",
}


@pytest.mark.parametrize("kind", ["receipt", "shipped"])
def test_whatever_a_buyer_typed_is_inert_and_one_line(client, kind) -> None:
    order = brought(ordered(client, **TYPED), "paid")
    mail.receipt(order)
    mail.shipped(order, "")
    made, text, page = letter(Message.objects.get(kind=kind))
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; עברית 🦊</bdi>" in page
    assert f"<script>1</script>{LONG}\n2nd floor Bcc: all@example.org\nerolagnaB 560001" in text
    assert made.message()["Bcc"] is None
    assert made.subject.count("\n") == 0


def test_the_styles_of_a_page_are_in_its_elements_and_what_depends_on_the_screen_in_its_head(
    client,
) -> None:
    order = on_delivery(client)
    _, _, page = letter(Message.objects.get(kind="receipt"))
    assert '<p class="wordmark" style="margin: 0 0 24px;' in page
    [styles] = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert "prefers-color-scheme: dark" in styles
    assert ".letter {" not in styles.split("@media")[0]
    whole = f'<span class="number" style="white-space: nowrap;">{order.number}</span></h1>'
    assert whole in page, "the number in the heading is on one line"
