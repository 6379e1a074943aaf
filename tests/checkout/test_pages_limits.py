"""Attempts to pay and links in mail are counted per network, other presses per shopper; nothing
typed is lost."""

import json

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from allo.redis_client import redis_client
from checkout.models import Contact, Order
from checkout.orders import links as orders
from reservations.models import Reservation
from reservations.waiting import links as places_of
from tests.joining import waiting
from tests.shopping import BUYER, HTMX, Page, holding, key, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_an_hour(settings, monkeypatch) -> None:
    settings.PAY_RATE = settings.API_RATE = "1/h"
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    for name in redis_client().scan_iter("rate:*"):
        redis_client().delete(name)


def use_up(client: Client) -> None:
    """The network's one attempt; without an order, as the price is not the shown one."""
    hold = holding(client, stocked(5, product="first"))
    assert press(client, hold, "confirm", unit_paise=1).status_code == 409


def assert_refused(response: Page) -> None:
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3599")
    assert "3599 seconds" in " ".join(response.content.decode().split())


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("where", ["confirm", "bag"])
def test_too_many_attempts_to_pay_keep_the_form_as_it_was_typed(client, where, headers) -> None:
    use_up(client)
    # Another cookie does not help.
    other = Client()
    hold = holding(other, stocked(5, product="second"))
    form = {**BUYER, "name": "Ravi Iyer", "idempotency_key": key(), "hold": hold.pk}
    address = "/bag/pay/" if where == "bag" else f"/checkout/{hold.pk}/confirm/"
    response = other.post(address, form, headers=headers)
    assert_refused(response)
    assert response.context["refusal"].code == "rate_limited"
    assert 'value="Ravi Iyer"' in response.content.decode()
    assert Contact.objects.get(reservation=hold).name == "Ravi Iyer"
    assert not Order.objects.exists()


def test_a_mistake_in_the_form_is_no_attempt(client) -> None:
    hold = holding(client, stocked(5))
    assert press(client, hold, "confirm", pin="1").status_code == 422
    assert press(client, hold, "confirm").status_code == 303


def test_the_api_counts_the_same_attempts(client) -> None:
    use_up(client)
    wanted = {"product": stocked(5, product="second").product.slug, "quantity": 1}
    held = Client().post("/api/reservations", wanted, "application/json").json()
    address = f"/api/reservations/{held['id']}/confirm"
    bearer = {"Authorization": f"Bearer {held['token']}"}
    refused = Client().post(address, b"", "application/json", headers=bearer)
    assert (refused.status_code, json.loads(refused.content)["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "3599"
    assert Reservation.objects.filter(status="pending").count() == 2


@pytest.mark.parametrize("verb", ["pay", "drop"])
def test_an_order_is_gone_on_with_and_dropped_within_the_limits(client, verb) -> None:
    assert press(client, holding(client, stocked(5)), "confirm").status_code == 303
    address = f"/orders/{Order.objects.get().number}/{verb}/"
    if verb == "drop":
        assert client.post(address).status_code == 303
    assert_refused(client.post(address))


@pytest.mark.parametrize("verb", ["cancel", "renew", "contact"])
def test_other_presses_are_counted_per_shopper(client, verb) -> None:
    row, other = stocked(5), Client()
    hold, theirs = holding(client, row), holding(other, row)
    assert press(client, hold, "contact").status_code == 204
    response = press(client, hold, verb)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3599")
    hold.refresh_from_db()
    assert (hold.status, hold.renewals) == ("pending", 0)
    assert press(other, theirs, verb).status_code in (204, 303)


def test_links_in_mail_are_counted_as_each_makes_a_session(client) -> None:
    press(client, holding(client, stocked(5)), "confirm")
    order, entry = Order.objects.get(), waiting(stocked(0, product="second"))
    ours = [orders.link_to(order, page) for page in ("order", "invoice", "paid")]
    places = [
        f"{places_of.path_to(entry, page)}?key={places_of.key_of(entry)}"
        for page in ("place", "unsubscribe")
    ]
    assert Client().get(ours[0]).status_code == 303
    made = Session.objects.count()
    for address in (*ours, *places):
        assert_refused(Client().get(address))
    assert Session.objects.count() == made
    assert Client().post(places[1]).status_code == 200, "mail programs have no session"
