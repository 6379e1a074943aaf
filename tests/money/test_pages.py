"""What a shopper reads about an order that is paid at a bank, at each step and after each fault."""

import re

import pytest
from django.test import Client

from allo.redis_client import redis_client
from checkout import settle
from checkout.models import Charge, Refund
from checkout.orders import opening
from inventory.models import Inventory
from reservations import services
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.joining import offered_beside, opened, waiting
from tests.money.buying import buy, press_pay
from tests.shopping import BUYER, HTMX, Page, holding, key
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)


def body(page: Page) -> str:
    """Without the spaces between the words of a template."""
    return re.sub(r"[ \n]+", " ", page.content.decode())


def test_an_open_order_offers_to_go_on_or_to_change(bank: BankProcess, client: Client) -> None:
    purchase = buy(bank, client)
    page = purchase.page()
    assert "<title>Waiting for your payment: order" in body(page)
    assert "Continue to pay" in body(page)
    assert "Change or cancel the payment" in body(page)
    policy = page.headers["Content-Security-Policy"]
    assert f"form-action 'self' {bank.url}" in policy
    again = client.post(f"/orders/{purchase.order.number}/pay/")
    assert again.headers["Location"] == purchase.payment.url


@pytest.mark.parametrize("address", ["/checkout/{}/", "/bag/"])
def test_pages_of_its_holds_offer_that_payment_and_no_form(
    bank: BankProcess, client: Client, address: str
) -> None:
    purchase = buy(bank, client)
    page = client.get(address.format(purchase.hold.pk))
    assert page.context["order"] == purchase.order
    assert "Your payment is open" in body(page)
    assert 'name="line1"' not in body(page)
    assert ">Change</a>" not in body(page)
    assert bank.url in page.headers["Content-Security-Policy"]


def test_the_form_leads_a_browser_and_htmx_to_the_banks_page(bank, client) -> None:
    purchase = buy(bank, client)
    hold = holding(client, stocked(5, product="other"))
    assert bank.url in client.get(f"/checkout/{hold.pk}/").headers["Content-Security-Policy"]
    assert bank.url not in client.get("/orders/").headers["Content-Security-Policy"]
    typed = {**BUYER, "idempotency_key": key()}
    answer = client.post(f"/checkout/{hold.pk}/confirm/", typed, headers=HTMX)
    assert answer.headers["HX-Redirect"].startswith(bank.url)
    # A hold that is on another open order is said to be, and can be ordered from the bag.
    page = client.get("/bag/")
    orders = {row.hold.pk: row.order and row.order.pk for row in page.context["rows"]}
    assert orders[purchase.hold.pk] == purchase.order_id
    assert page.context["order"] is None
    assert "If you pay for it here, that payment ends." in body(page)


def test_the_bag_pays_holds_of_another_open_order_and_that_one_says_so(bank, client) -> None:
    before = buy(bank, client)
    hold = holding(client, stocked(5, product="other"))
    chosen = {"hold": [before.hold.pk, hold.pk]}
    paid = client.post("/bag/pay/", {**BUYER, **chosen, "idempotency_key": key()})
    assert paid.headers["Location"].startswith(bank.url)
    later = opening.order_of(hold)
    assert later is not None
    assert (before.order.state, later.order_lines.count()) == ("dropped", 2)
    page = body(before.page())
    assert f'href="/orders/{later.number}/"' in page
    assert "</a>, which you made later, took its place." in page


def test_dropping_leads_back_to_the_form_with_what_was_typed(bank, client) -> None:
    purchase = buy(bank, client, city="Mysuru")
    dropped = client.post(f"/orders/{purchase.order.number}/drop/")
    assert dropped.headers["Location"] == f"/checkout/{purchase.hold.pk}/?unpaid=1"
    page = client.get(dropped.headers["Location"])
    assert "You have not paid." in body(page)
    assert page.context["form"]["city"].value() == "Mysuru"
    shown = purchase.page()
    assert "Nothing was&nbsp;ordered." in body(shown)
    assert "We have received no money for it." in body(shown)
    assert [hold.pk for hold in shown.context["shown"].living] == [purchase.hold.pk]
    assert client.get("/orders/").context["page"].orders == []


def test_coming_back_without_paying_leads_to_what_is_held(bank, client) -> None:
    purchase = buy(bank, client)
    back = client.get(f"/orders/{purchase.order.number}/back/")
    assert back.headers["Location"] == f"/checkout/{purchase.hold.pk}/"


def test_coming_back_while_the_bank_is_silent_asks_on(bank, client) -> None:
    purchase = buy(bank, client)
    returned = client.get(f"/orders/{purchase.order.number}/paid/")
    assert returned.headers["Location"] == f"/orders/{purchase.order.number}/?returned=1"
    page = client.get(returned.headers["Location"])
    assert "<title>Asking your bank: order" in body(page)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in body(page)
    # Nobody is led to pay a second time.
    assert "Continue to pay" not in body(page)
    assert 'http-equiv="refresh"' not in body(purchase.page())
    purchase.pays()
    assert purchase.settle() == "paid"
    paid = client.get(returned.headers["Location"])
    assert "<title>Paid: order" in body(paid)
    assert "It is yours." in body(paid)
    assert "refresh" not in body(paid).partition("<main")[0].partition("noscript")[2]


def test_a_network_that_comes_back_too_often_leaves_the_look_to_the_clock(
    bank, client, settings
) -> None:
    purchase = buy(bank, client)
    settings.PAY_RATE = "1/h"
    for name in redis_client().scan_iter("rate:look:*"):
        redis_client().delete(name)
    address = f"/orders/{purchase.order.number}/"
    client.get(f"{address}paid/")
    purchase.pays()
    assert client.get(f"{address}paid/").headers["Location"] == f"{address}?returned=1"
    assert purchase.order.state == "open"
    assert purchase.settle() == "paid"


def test_a_bank_that_does_not_answer_is_said_and_can_be_tried_again(bank, client) -> None:
    hold = holding(client, stocked(5))
    with bank.fault(down=True):
        answer = press_pay(client, hold)
    order = opening.order_of(hold)
    assert order is not None
    assert answer.headers["Location"] == f"/orders/{order.number}/"
    page = body(client.get(answer.headers["Location"]))
    assert "The bank does not&nbsp;answer." in page
    assert "Nothing was charged." in page
    again = client.post(f"/orders/{order.number}/pay/")
    assert again.headers["Location"].startswith(bank.url)


def test_money_that_came_too_late_is_said_to_go_back_everywhere(bank, client) -> None:
    purchase = buy(bank, client)
    pass_time(3600, pk=purchase.hold.pk)
    purchase.pays("upi")
    assert purchase.settle() == "dropped"
    page = body(purchase.page())
    assert "The time of Tidal ran out" in page
    assert "We have received no money" not in page
    assert "went back to you on" in page
    ended = body(client.get(f"/checkout/{purchase.hold.pk}/"))
    assert "Nothing was charged" not in ended
    assert f"/orders/{purchase.order.number}/" in ended
    listed = client.get("/orders/").context["page"]
    assert [order.pk for order in listed.orders] == [purchase.order_id]


def test_each_amount_that_went_back_is_shown(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays()
    assert purchase.settle() == "paid"
    charge = Charge.objects.get(decision="take")
    Refund.objects.create(charge=charge, amount=20_000, reason="Chipped, and she was rude")
    amount = "<strong>₹\N{NO-BREAK SPACE}200</strong>"
    asked = body(purchase.page())
    assert f"{amount} is on its way back to you since" in asked
    settle.settle(purchase.payment.pk)
    done = body(purchase.page())
    assert f"{amount} of what you paid went back to you on" in done
    assert "rude" not in done


def test_a_second_payment_that_was_only_reserved_is_said_to_be_that(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays("twice")
    assert purchase.settle() == "paid"
    page = body(purchase.page())
    assert "was reserved on your account a second time. It is released" in page
    assert "only reserved" not in page


def test_all_that_was_let_go_during_payment_is_named_in_one_sentence(bank, client) -> None:
    holds = [holding(client, stocked(5, product=name)) for name in ("tidal", "lyra", "cup")]
    chosen = {"hold": [hold.pk for hold in holds]}
    client.post("/bag/pay/", {**BUYER, **chosen, "idempotency_key": key()})
    order = opening.order_of(holds[0])
    assert order is not None
    for hold in holds:
        services.release(reservation_id=hold.pk)
    settle.settle(order.payments.get().pk)
    page = body(client.get(f"/orders/{order.number}/"))
    said = r"You let (\w+) go, you let (\w+) go and you let (\w+) go before a payment"
    named = re.search(said, page)
    assert named
    assert {*named.groups()} == {"Tidal", "Lyra", "Cup"}


def test_an_offer_can_be_taken_from_an_order_of_another_browser(bank, client) -> None:
    mine, entry = offered_beside(client)
    chosen = {"hold": [mine.pk, entry.offer_id]}
    client.post("/bag/pay/", {**BUYER, **chosen, "idempotency_key": key()})
    order = opening.order_of(mine)
    assert order is not None
    page, elsewhere = f"/orders/{order.number}/", opened(entry)
    dropped = elsewhere.post(f"{page}drop/").headers["Location"]
    assert dropped == f"/checkout/{entry.offer_id}/?unpaid=1"
    assert elsewhere.get(dropped).status_code == 200
    assert "Go to checkout" in body(elsewhere.get(page))
    assert "Go to the bag" in body(client.get(page))
    other = waiting(Inventory.objects.get(product=entry.product), "ravi@example.org")
    assert opened(other).get(page).status_code == 404


def test_a_hold_let_go_during_payment_ends_the_order_and_says_why(bank, client) -> None:
    other = stocked(5, product="other")
    holds = [holding(client, stocked(5)), holding(client, other)]
    chosen = {"hold": [hold.pk for hold in holds]}
    client.post("/bag/pay/", {**BUYER, **chosen, "idempotency_key": key()})
    order = opening.order_of(holds[0])
    assert order is not None
    services.release(reservation_id=holds[0].pk)
    settle.settle(order.payments.get().pk)
    page = body(client.get(f"/orders/{order.number}/"))
    assert "You let Tidal go before a payment arrived, so nothing of this order was sold" in page
    assert "Go to checkout" in page
    assert Reservation.objects.get(pk=holds[1].pk).paying_since is None
