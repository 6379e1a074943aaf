"""At sign-in the account gets what the browser held and ordered; staff see all of it."""

from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.test import Client

from allo.accounts import flow
from allo.accounts.models import Account
from checkout.models import Order
from reservations.exceptions import Busy
from reservations.models import AdoptedHolder
from tests.accounts.signing_in import ask, last_code, link_in, sent, signed_in, type_code
from tests.joining import all_held, given_back, opened, waiting
from tests.shopping import holding, press
from tests.smtp import mailbox
from tests.staff.people import signed_in as staff
from tests.stock import all_at_once, stocked
from tests.waiting import offer_of

pytestmark = pytest.mark.django_db


def held(client: Client, product: str) -> str:
    return holding(client, stocked(5, product=product)).inventory.product.name


def seen(client: Client) -> str:
    return client.get("/reservations/").content.decode() + client.get("/orders/").content.decode()


def test_what_was_held_and_ordered_here_is_there_on_the_next_device(client) -> None:
    vase, jug = held(client, "vase"), held(client, "jug")
    order = press(client, holding(client, stocked(5, product="bowl")), "confirm")
    number = order.headers["Location"].split("/")[2]
    signed_in(client=client)
    account = Account.objects.get()
    assert Order.objects.get().account_id == account.pk
    phone = signed_in()
    for name in (vase, jug, number):
        assert name in seen(phone)
    assert "2<span" in phone.get("/").content.decode(), "the header says what is held"
    # To staff as well.
    page = staff("Support").get(f"/admin/accounts/account/{account.pk}/change/").content.decode()
    browser = AdoptedHolder.objects.get().holder
    assert f"q=user%3A{account.pk}" in page
    assert "/admin/outbox/message/?q=asha%40example.org" in page
    assert f"q={browser.replace(':', '%3A')}" in page


def test_what_a_waiting_list_offered_to_the_address_and_a_guest_bought_is_the_accounts(
    client,
) -> None:
    row = stocked(1)
    all_of_it = all_held(row)
    waiting(row)
    entry = given_back(all_of_it)
    press(opened(entry, client), offer_of(entry), "confirm")
    number = Order.objects.get().number
    assert number in seen(signed_in())
    assert Order.objects.get().account_id == Account.objects.get().pk
    assert number not in seen(signed_in("ravi@example.org"))
    assert number in seen(client)


def test_staff_find_an_account_and_its_orders_and_reservations(client) -> None:
    signed_in("Asha@example.org", client)
    reservation = holding(client, stocked(5))
    press(client, holding(client, stocked(5, product="bowl")), "confirm")
    support, account = staff("Support"), Account.objects.get()
    found = support.get("/admin/accounts/account/", {"q": "ASHA@"}).content.decode()
    assert "Asha@example.org" in found
    assert "Asha@" not in support.get("/admin/accounts/account/", {"q": "ravi"}).content.decode()
    who = {"q": f"user:{account.pk}"}
    orders = support.get("/admin/checkout/order/", who).context["cl"].result_list
    assert [*orders] == [Order.objects.get()]
    holds = support.get("/admin/reservations/reservation/", who).context["cl"].result_list
    assert reservation in holds
    assert staff("Packer").get("/admin/accounts/account/").status_code == 403


def test_the_next_account_in_a_browser_sees_nothing_of_the_one_before(client) -> None:
    vase = held(client, "vase")
    press(client, holding(client, stocked(5, product="bowl")), "confirm")
    signed_in(client=client)
    # The session ends by itself, and the visitor's cookie stays.
    del client.cookies["sessionid"]
    signed_in("ravi@example.org", client)
    assert vase not in seen(client)
    assert "Bowl" not in seen(client)


def test_a_link_that_is_followed_while_another_is_signed_in_adopts_nothing(settings) -> None:
    jug = stocked(5, product="jug")
    holding(signed_in("meera@example.org"), jug)
    reader = Client()
    # Meera holds this already, so the browser keeps its own.
    holding(reader, jug)
    signed_in("meera@example.org", reader)
    session = reader.cookies.pop("sessionid")
    with mailbox(settings) as box:
        ask(reader, "kiran@example.org")
        mail = sent(box)[-1]
    reader.cookies["sessionid"] = session.value
    assert "Jug" in seen(reader)
    assert reader.get(link_in(mail)).status_code == 303
    assert "kiran@example.org" in reader.get("/account/").content.decode()
    assert "Jug" not in seen(reader)


def test_when_the_shop_is_busy_one_is_signed_in_and_keeps_what_the_browser_holds(
    client, monkeypatch
) -> None:
    vase = held(client, "vase")

    def busy(**_: str) -> None:
        raise Busy

    monkeypatch.setattr("reservations.services.adopt", busy)
    ask(client)
    assert type_code(client, last_code()).status_code == 303
    assert "asha@example.org" in client.get("/account/").content.decode()
    assert vase in seen(client)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_browsers_that_prove_one_new_address_at_once_all_get_one_account(monkeypatch) -> None:
    nobody_yet = Barrier(4)
    make = flow._new_account

    def all_look_first(email: str) -> Account:
        nobody_yet.wait(60)
        return make(email)

    monkeypatch.setattr(flow, "_new_account", all_look_first)
    got = all_at_once(4, lambda _: flow.account_of("asha@example.org").pk)
    assert {*got} == {Account.objects.get().pk}
    assert User.objects.count() == 1
