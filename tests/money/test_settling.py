"""From the money that appears at the bank to its end: sold for it, or given back."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from allo.outbox.models import Message
from checkout import clock, due
from checkout.models import Charge, Order, Payment
from checkout.orders import opening, reading
from reservations import services
from reservations.engine.commands import Withdraw
from reservations.engine.transactions import perform
from reservations.models import Reservation
from tests.checkout.orders import invited, opened
from tests.money.at_bank import net_of
from tests.money.buying import SOLD, Purchase, buy, press_pay
from tests.reservations.test_verbs import hold
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)

AUTHORISED, VOID = ("authorised", 385_000), ("canceled", 385_000)


def decisions(purchase: Purchase) -> list[tuple[str, str, int]]:
    """Decision, fact and what was refunded of each charge."""
    charges = Charge.objects.filter(order=purchase.order_id).order_by("pk")
    return list(charges.values_list("decision", "fact", "refunded_paise"))


@pytest.mark.parametrize("way", ["card", "upi"])
def test_what_is_paid_in_time_is_sold_and_captured(bank, client, way) -> None:
    purchase = buy(bank, client, quantity=2)
    assert (purchase.order.state, purchase.units) == ("open", (5, 2))
    purchase.pays(way)
    assert purchase.settle() == "paid"
    assert purchase.units == (3, 0)
    assert decisions(purchase) == [("take", "captured", 0)]
    assert Charge.objects.get().settled_at
    assert purchase.payment.closed_at


def test_nothing_is_captured_before_the_sale_is_committed(bank, client, monkeypatch) -> None:
    """P4. The process dies after the decision."""
    purchase = buy(bank, client)
    purchase.pays()
    monkeypatch.setattr("checkout.settle.opening.decide_about", dies)
    with pytest.raises(Died):
        purchase.settle()
    assert purchase.moves() == [[AUTHORISED]]
    monkeypatch.undo()
    assert purchase.settle() == "paid"
    assert purchase.moves() == [SOLD]


class Died(Exception):
    pass


def dies(*_: object, **__: object) -> None:
    raise Died


@pytest.mark.parametrize("end", ["expired", "released", "withdrawn"])
@pytest.mark.parametrize("way", ["card", "upi"])
def test_a_dead_hold_is_never_captured(bank, client, way, end) -> None:
    """By the bank's own books: what was authorised is let go, what was deducted comes back."""
    purchase = buy(bank, client)
    purchase.pays(way)
    if end == "expired":
        pass_time(901)
    elif end == "released":
        services.release(reservation_id=purchase.hold.pk)
    else:
        withdraw(purchase)
    assert purchase.settle() == "dropped"
    assert purchase.units == (5, 0)
    what = [name for (name, _) in purchase.moves()[0]]
    if way == "card":
        assert "captured" not in what
        assert decisions(purchase) == [("give_back", "void", 0)]
    else:
        assert what[-1] == "refunded"
        assert decisions(purchase) == [("give_back", "captured", 385_000)]
    assert Charge.objects.get().settled_at


def withdraw(purchase: Purchase) -> None:
    perform(
        Withdraw(
            rows=(purchase.row.pk,),
            reservation_ids=(purchase.hold.pk,),
            cause=Reservation.Cause.DAMAGED,
        )
    )


def test_late_money_returns_and_says_so(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays("late")
    pass_time(901)
    clock.settle_due()
    assert purchase.order.state == "dropped"
    # The bank has closed the page, and then its money appears.
    purchase.settle()
    assert decisions(purchase) == [("give_back", "void", 0)]
    assert purchase.units == (5, 0)


def test_the_second_payment_of_an_order_comes_back(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays("twice")
    assert purchase.settle() == "paid"
    assert sorted(decisions(purchase)) == [("give_back", "void", 0), ("take", "captured", 0)]
    assert purchase.units == (4, 0)


@pytest.mark.parametrize("wrong", [{"amount": 384_999}, {"amount": 385_001}, {"currency": "usd"}])
def test_wrong_money_comes_back_and_sells_nothing(bank, client, wrong) -> None:
    purchase = buy(bank, client)
    reference = purchase.pays()
    bank.control(f"intents/{reference}/falsify", **wrong)
    assert purchase.settle() == "open"
    assert purchase.units == (5, 1)
    assert decisions(purchase) == [("give_back", "void", 0)]


@pytest.mark.parametrize("amount", [1, 385_000])
def test_money_that_went_back_before_it_was_seen_buys_nothing(bank, client, amount) -> None:
    """Staff refunded it at the provider: it is not sold for what is left of it."""
    purchase = buy(bank, client)
    reference = purchase.pays("upi")
    bank.control(f"intents/{reference}/refund", amount=amount)
    assert purchase.settle() == "open"
    assert purchase.units == (5, 1)
    assert decisions(purchase) == [("give_back", "captured", 385_000)]
    assert net_of(bank, reference) == 0


def test_declined_then_paid(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays("declined")
    assert purchase.settle() == "open"
    assert Charge.objects.count() == 0
    purchase.pays("card")
    assert purchase.settle() == "paid"
    assert Order.objects.count() == Payment.objects.count() == 1


@pytest.mark.parametrize(("answer", "state"), [("approve", "paid"), ("reject", "open")])
def test_three_d_secure(bank, client, answer, state) -> None:
    purchase = buy(bank, client)
    reference = purchase.pays("authenticate")
    assert purchase.settle() == "open"
    bank.control(f"intents/{reference}/{answer}")
    assert purchase.settle() == state


def test_an_authorisation_that_lapses_before_the_capture_cancels_and_restocks(
    bank, client, monkeypatch
) -> None:
    purchase = buy(bank, client)
    reference = purchase.pays()
    with monkeypatch.context() as dying:
        dying.setattr("checkout.payments.stripe.Stripe.capture", dies)
        with pytest.raises(Died):
            purchase.settle()
    assert (purchase.order.state, purchase.units) == ("placed", (4, 0))
    # What was seen is recorded all the same, and when to look again.
    assert Payment.objects.filter(look_at__gt=Now()).exists()
    bank.control(f"intents/{reference}/lapse")
    assert purchase.settle() == "cancelled"
    assert purchase.units == (5, 0)
    assert Message.objects.filter(kind="order_cancelled").count() == 1
    assert purchase.settle() == "cancelled"
    assert purchase.units == (5, 0)


def test_the_clock_looks_at_open_payments_before_closed_ones() -> None:
    """After a drop there are so many closed ones that the open ones would wait for minutes."""
    [ended, later, sooner] = [opened(hold(stocked(1, product=f"vase-{n}"))) for n in range(3)]
    for order, minutes in ((later, 20), (sooner, 18)):
        order.payments.update(closed_at=timezone.now())
        invited(order, expires_at=timezone.now() + timedelta(minutes=minutes))
    Payment.objects.filter(order=ended).update(closed_at=timezone.now())
    found = [(payment.order_id, payment.closed_at is None) for payment in due.chosen(9)]
    assert found[:2] == [(sooner.pk, True), (later.pk, True)]
    assert [is_open for _, is_open in found[2:]] == [False] * 3


def test_an_old_session_that_is_paid_after_another_order_was_opened_comes_back(
    bank, client
) -> None:
    first = buy(bank, client)
    response = press_pay(client, first.hold, name="Another Name")
    assert response.status_code == 303
    second = Order.objects.exclude(pk=first.order_id).get()
    assert (first.order.state, second.state) == ("dropped", "open")
    first.pays("card")
    assert first.settle() == "dropped"
    assert decisions(first) == [("give_back", "void", 0)]
    again = Purchase(bank, client, first.row, first.hold, second.pk)
    again.pays()
    assert again.settle() == "paid"


def test_pressing_pay_again_leads_to_the_same_page(bank, client) -> None:
    purchase = buy(bank, client)
    response = press_pay(client, purchase.hold)
    assert response.headers["Location"] == purchase.payment.url
    assert Order.objects.count() == Payment.objects.count() == 1


def test_the_return_page_settles_and_leads_to_the_order(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays()
    response = client.get(f"/orders/{purchase.order.number}/paid/")
    assert response.headers["Location"] == f"/orders/{purchase.order.number}/"
    assert purchase.order.state == "paid"


def test_another_shopper_does_not_see_an_order(bank, client) -> None:
    purchase = buy(bank, client)
    there = f"/orders/{purchase.order.number}/"
    assert Client().get(there).status_code == 404
    for page in ("paid/", "back/"):
        led = Client().get(there + page)
        assert led.headers["Location"].startswith("/orders/find/")
    for page in ("pay/", "drop/"):
        assert Client().post(there + page).status_code == 404


def test_the_window_is_given_and_the_page_is_closed_before_the_hold_ends(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.hold.refresh_from_db()
    assert purchase.hold.window_given
    pass_time(900 - 15)
    clock.settle_due()
    session = next(
        row for row in bank.books("session") if row["id"] == purchase.payment.session_ref
    )
    assert session["status"] == "expired"
    assert purchase.order.state == "open"
    pass_time(20)
    Payment.objects.update(looks=0)
    clock.settle_due()
    assert purchase.order.state == "dropped"


def test_an_order_whose_time_is_over_is_not_offered_for_payment_again(bank, client) -> None:
    """Neither in its last seconds, when no page is opened any more, nor after them, before it is
    dropped, nor if it was dropped a moment before."""
    purchase = buy(bank, client)
    own = f"/orders/{purchase.order.number}/"
    pass_time(900 - 15)
    clock.settle_due()
    assert purchase.payment.closed_at
    for seconds in (0, 20):
        pass_time(seconds)
        assert client.post(f"{own}pay/").headers["Location"] == own
        assert Payment.objects.count() == 1
    assert purchase.order.state == "dropped"
    (last,) = reading.last_payment(purchase.order.number)
    last.order.state = Order.State.OPEN  # as it was read before
    assert opening.payable(last) is None
