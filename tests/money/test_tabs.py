"""One hold in two tabs, a bag that changes meanwhile, and what staff change while it is paid."""

import pytest
from django.test import Client

from catalog.models import Product
from checkout.models import Order, OrderLine, Payment
from checkout.settle import settle
from reservations import services
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.money.at_bank import astray
from tests.money.buying import Purchase, buy, press_pay
from tests.shopping import BUYER, Page, holding, key
from tests.stock import all_at_once, pass_time, reprice, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unhurried")]


def pay_bag(client: Client, *holds: Reservation, **form: object) -> Page:
    chosen = {"hold": [hold.pk for hold in holds], "idempotency_key": key()}
    return client.post("/bag/pay/", {**BUYER, **chosen, **form})


def ordered(bank: BankProcess, client: Client, *holds: Reservation) -> Purchase:
    answer = pay_bag(client, *holds)
    assert answer.headers["Location"].startswith(bank.url), answer.content.decode()
    line = OrderLine.objects.get(reservation=holds[0], active=True)
    return Purchase(bank, client, holds[0].inventory, holds[0], line.order_id)


@pytest.mark.parametrize("dead", [0, 1, 2])
@pytest.mark.parametrize("way", ["card", "upi"])
def test_a_bag_with_a_dead_hold_is_not_sold_and_what_lives_can_be_ordered_again(
    bank, client, dead, way
) -> None:
    holds = [holding(client, stocked(5, product=f"p-{n}")) for n in range(3)]
    purchase = ordered(bank, client, *holds)
    reference = purchase.pays(way)
    services.release(reservation_id=holds[dead].pk)
    assert purchase.settle() == "dropped"
    assert astray(bank, [purchase.order]) == []
    assert bank.moves(reference)[-1] == (
        ("released", 1_155_000) if way == "card" else ("refunded", 1_155_000)
    )
    living = [hold for n, hold in enumerate(holds) if n != dead]
    for hold in living:
        hold.refresh_from_db()
        assert (hold.status, hold.paying_since) == ("pending", None)
    again = ordered(bank, client, *living)
    again.pays(way)
    assert again.settle() == "paid"
    assert sorted(Reservation.objects.values_list("status", flat=True)) == [
        "confirmed",
        "confirmed",
        "released",
    ]


@pytest.mark.parametrize("device", ["the browser without its session", "another device"])
def test_what_was_being_paid_at_sign_in_is_paid_by_either_page(
    bank, client, device, django_user_model
) -> None:
    """Order and line are as they were; the hold is the account's."""
    purchase = buy(bank, client)
    asha = django_user_model.objects.create_user("asha")
    services.adopt(account=f"user:{asha.pk}", visitor=purchase.hold.holder)
    purchase.pays()
    payer = client
    if device == "another device":
        payer = Client()
        payer.force_login(asha)
    returned = payer.get(f"/orders/{purchase.order.number}/paid/", follow=True)
    assert returned.redirect_chain == [(f"/orders/{purchase.order.number}/", 303)]
    assert purchase.order.state == "paid"
    purchase.hold.refresh_from_db()
    assert (purchase.hold.status, purchase.hold.holder) == ("confirmed", f"user:{asha.pk}")
    assert next(iter(payer.get("/orders/").context["page"]))[0] == purchase.order


def test_eight_tabs_with_different_names_are_one_order(bank, client) -> None:
    """Each opens an order or is refused; money on the page of any other comes back."""
    hold = holding(client, row := stocked(5))

    def tab(number: int) -> int:
        shopper = Client()
        shopper.cookies = client.cookies
        return int(press_pay(shopper, hold, name=f"Tab {number}").status_code)

    assert set(all_at_once(8, tab)) <= {303, 409}
    assert Order.objects.filter(state="open").count() == 1
    open_order = Order.objects.get(state="open")
    assert OrderLine.objects.get(active=True).order_id == open_order.pk
    assert Payment.objects.filter(order=open_order, closed_at=None).count() == 1
    for payment in Payment.objects.exclude(order=open_order).exclude(session_ref=None):
        Purchase(bank, client, row, hold, payment.order_id).pays()
    purchase = Purchase(bank, client, row, hold, open_order.pk)
    client.post(f"/orders/{open_order.number}/pay/")
    purchase.pays()
    assert {settle(payment.pk).state for payment in Payment.objects.all()} <= {"dropped", "paid"}
    assert purchase.order.state == "paid"
    assert purchase.units == (4, 0)
    assert astray(bank, Order.objects.all()) == []


def test_the_quantity_cannot_change_while_it_is_paid(bank, client) -> None:
    purchase = buy(bank, client, quantity=2)
    form = {
        "warehouse": purchase.row.warehouse.code,
        "quantity": "3",
        "held": f"{purchase.row.pk}:2",
    }
    address = f"/p/{purchase.row.product.slug}/reserve/"

    def change() -> Page:
        return client.post(address, {**form, "idempotency_key": key()})

    answer = change()
    assert answer.status_code == 409
    assert "It is being paid for right now." in answer.content.decode()
    assert purchase.units == (5, 2)
    client.post(f"/orders/{purchase.order.number}/drop/")
    assert change().status_code == 303
    assert purchase.units == (5, 3)
    # The page that showed two is told so, and orders nothing.
    stale = press_pay(client, purchase.hold, quantity="2")
    assert stale.status_code == 409
    assert "You hold 3 of it now" in stale.content.decode()
    assert Order.objects.filter(state="open").count() == 0


def test_the_window_is_given_once(bank, client) -> None:
    """Ordering, dropping and ordering again does not keep the units for ever."""
    purchase = buy(bank, client)
    own = f"/orders/{purchase.order.number}/drop/"
    pass_time(500)
    purchase.hold.refresh_from_db()
    end = purchase.hold.expires_at
    client.post(own)
    assert press_pay(client, purchase.hold).headers["Location"].startswith(bank.url)
    purchase.hold.refresh_from_db()
    assert purchase.hold.expires_at == end
    assert purchase.hold.window_given
    second = Order.objects.get(state="open")
    assert second.payments.get().expires_at == end


def test_what_staff_take_off_sale_or_price_anew_is_still_paid_as_it_was_held(bank, client) -> None:
    purchase = buy(bank, client)
    reprice(purchase.row, 999_900)
    Product.objects.update(published_at=None)
    assert Client().get(f"/p/{purchase.row.product.slug}/reserve/").status_code == 404
    assert purchase.page().status_code == 200
    again = client.post(f"/orders/{purchase.order.number}/pay/")
    assert again.headers["Location"] == purchase.payment.url
    purchase.pays()
    assert purchase.settle() == "paid"
    assert purchase.order.charges.get().amount == 385_000
    assert "It is yours." in purchase.page().content.decode()
