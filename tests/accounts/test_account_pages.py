"""What an account's person sees: their orders and reservations, from every browser."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checkout.models import Order
from checkout.orders import adopting
from tests.accounts.signing_in import signed_in
from tests.checkout.orders import brought, opened
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db


def bought(client: Client, product: str) -> Order:
    return brought(opened(holding(client, stocked(5, product=product))), "paid")


def test_orders_of_a_browser_become_the_accounts_and_open_in_another(client) -> None:
    order, others = bought(client, "a"), brought(opened(hold(stocked(5, product="b"))), "paid")
    asha, ravi = (User.objects.create_user(name) for name in ("asha", "ravi"))
    assert adopting.take(asha.pk, order.holder) == 1
    # Once: another account that signs in in the same browser gets nothing of it.
    assert adopting.take(ravi.pk, order.holder) == 0
    assert Order.objects.get(pk=order.pk).account == asha
    assert Order.objects.get(pk=order.pk).holder == order.holder
    assert Order.objects.get(pk=others.pk).account is None
    for person, seen in ((asha, 200), (ravi, 404)):
        device = Client()
        device.force_login(person)
        assert device.get(f"/orders/{order.number}/").status_code == seen
        assert (order.number in device.get("/orders/").content.decode()) == (seen == 200)


@pytest.mark.django_db(transaction=True)
def test_of_two_accounts_at_once_one_gets_the_orders() -> None:
    stock = stocked(9)
    opened(hold(stock, 1, "visitor:a"))
    people = [User.objects.create_user(f"p{n}").pk for n in range(4)]
    taken = all_at_once(4, lambda n: adopting.take(people[n], "visitor:a"))
    assert sorted(taken) == [0, 0, 0, 1]  # type: ignore[type-var]


def test_the_overview_has_what_is_held_and_what_was_bought(client) -> None:
    signed_in(client=client)
    empty = client.get("/account/").content.decode()
    assert "You hold nothing now" in empty
    assert "You have bought nothing yet" in empty
    row = stocked(9, product="carafe")
    press(client, holding(client, row), "confirm")
    held = holding(client, row, 2)
    signed_in("ravi@example.org", other := Client())
    other_held = holding(other, row)
    page = client.get("/account/").content.decode()
    assert f'href="/checkout/{held.pk}/"' in page
    assert f'href="/checkout/{other_held.pk}/"' not in page
    assert Order.objects.get().number in page
    for address in ("addresses", "e-mail", "sessions", "export", "delete"):
        assert f'href="/account/{address}/"' in page


def test_the_overview_runs_as_many_queries_for_many_orders_as_for_few(
    client, django_assert_num_queries
) -> None:
    signed_in(client=client)
    row = stocked(9)
    press(client, holding(client, row), "confirm")
    with CaptureQueriesContext(connection) as queries:
        client.get("/account/")
        few = len(queries)
    for _ in range(4):
        press(client, holding(client, row), "confirm")
    with django_assert_num_queries(few):
        page = client.get("/account/")
    assert page.content.decode().count('class="holding"') == 3
