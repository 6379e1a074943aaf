"""The bag: what is held is paid for together, whole or not at all."""

from typing import Any

import pytest
from django.test import Client

from allo.live.tokens import MAX_AGE_SECONDS
from catalog.models import Product
from checkout.models import Contact, Order
from reservations import services
from reservations.models import Reservation
from tests.shopping import BUYER, HTMX, Page, aged, holding, key, press, terms
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db


def bagged(client: Client, *names: str) -> list[Reservation]:
    return [holding(client, stocked(5, product=name)) for name in names]


def pay(client: Client, *holds: Reservation, **more: Any) -> Page:
    headers = more.pop("headers", None)
    shown = {f"quantity-{hold.pk}": hold.quantity for hold in holds}
    form = {**BUYER, **shown, "hold": [hold.pk for hold in holds], "idempotency_key": key(), **more}
    return client.post("/bag/pay/", form, headers=headers)


def statuses() -> list[str]:
    return list(Reservation.objects.order_by("created_at").values_list("status", flat=True))


def test_what_is_ticked_is_one_order(client) -> None:
    first, second, third = bagged(client, "one", "two", "three")
    response = pay(client, first, third)
    order = Order.objects.get()
    assert response.headers["Location"] == f"/orders/{order.number}/"
    assert (order.state, order.total_paise) == ("paid", 770_000)
    assert statuses() == ["confirmed", "pending", "confirmed"]
    page = client.get("/bag/")
    assert [row.hold.pk for row in page.context["rows"]] == [second.pk]


def test_the_bag_shows_each_hold_ticked_with_its_total_and_tax(client, settings) -> None:
    settings.SHIPPING_PAISE = 9_900
    bagged(client, "one", "two")
    Product.objects.filter(slug="one").update(gst_percent=5)
    page = client.get("/bag/")
    assert page.headers["Cache-Control"] == "private, no-store"
    assert all(row.ticked for row in page.context["rows"])
    bill = page.context["bill"]
    assert (bill.goods, bill.sent, bill.gst) == (770_000, 779_900, 77_062)
    body = page.content.decode()
    assert body.count('data-paise="385000"') == 2
    assert 'data-sum="gst" data-shipping="9900">₹\N{NO-BREAK SPACE}785.72<' in body


@pytest.mark.parametrize(("ticked", "percent", "paise"), [([0], 5, 471), ([0, 1], 18, 1_510)])
def test_shipping_bears_the_highest_rate_of_what_is_sent(
    client, settings, ticked, percent, paise
) -> None:
    settings.SHIPPING_PAISE = 9_900
    holds = bagged(client, "one", "two")
    Product.objects.filter(slug="one").update(gst_percent=5)
    assert pay(client, *(holds[each] for each in ticked)).status_code == 303
    order = Order.objects.get()
    assert (order.shipping_gst_percent, order.shipping_gst_paise) == (percent, paise)


def test_two_holds_lead_to_the_bag_and_one_to_its_checkout(client) -> None:
    [first] = bagged(client, "one")
    alone = client.get("/reservations/").content.decode()
    assert f'class="hold-pill" href="/checkout/{first.pk}/"' in alone
    assert "Pay for all" not in alone
    assert "You also hold" not in client.get(f"/checkout/{first.pk}/").content.decode()
    [second] = bagged(client, "two")
    both = client.get("/reservations/").content.decode()
    assert 'class="hold-pill" href="/bag/"' in both
    assert "Pay for all that you hold together" in both
    checkout = client.get(f"/checkout/{first.pk}/")
    assert [other.pk for other in checkout.context["others"]] == [second.pk]
    assert "Pay for all together" in checkout.content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_one_that_ended_meanwhile_is_named_and_nothing_is_ordered(client, headers) -> None:
    first, second = bagged(client, "one", "two")
    pass_time(601, pk=first.pk)
    response = pay(client, first, second, name="Ravi Iyer", headers=headers)
    assert response.status_code == 410
    assert [hold.pk for hold in response.context["ended"]] == [first.pk]
    assert [(row.hold.pk, row.ticked) for row in response.context["rows"]] == [(second.pk, True)]
    assert response.context["form"]["name"].value() == "Ravi Iyer"
    assert "Nothing was ordered: not all of it is held any more." in response.content.decode()
    assert statuses() == ["expired", "pending"]
    assert not Order.objects.exists()


def test_one_that_changed_in_another_tab_is_marked_with_the_reason(client) -> None:
    first, second = bagged(client, "one", "two")
    services.change(reservation_id=second.pk, quantity=3, seen=1)
    response = pay(client, first, second)
    assert response.status_code == 409
    refused = {row.hold.pk: row.refusal for row in response.context["rows"]}
    assert refused[first.pk] is None
    assert refused[second.pk].detail.startswith("You hold 3 of it now.")
    assert statuses() == ["pending", "pending"]


def test_another_price_than_the_page_showed_is_refused(client) -> None:
    [hold] = bagged(client, "one")
    response = pay(client, hold, **{f"unit_paise-{hold.pk}": 1})
    [row] = response.context["rows"]
    assert (response.status_code, row.refusal.code) == (409, "price_changed")


def test_other_shipping_than_the_page_showed_is_refused_for_what_is_sent(client, settings) -> None:
    sent, collected = bagged(client, "one", "two")
    page = client.get("/bag/")
    settings.SHIPPING_PAISE = 9_900
    seen = {"seen": page.context["seen"]}
    assert client.get("/bag/", seen, headers=HTMX).context["bill"].sent == 779_900
    refused = pay(client, sent, **terms(page))
    assert (refused.status_code, refused.context["refusal"].code) == (409, "price_changed")
    words = "Shipping costs ₹\N{NO-BREAK SPACE}99 now, not ₹\N{NO-BREAK SPACE}0 as you saw."
    assert words in refused.content.decode()
    assert not Order.objects.exists()
    assert pay(client, collected, delivery="collect", **terms(page)).status_code == 303
    assert pay(client, sent, **terms(refused)).status_code == 303
    totals = Order.objects.order_by("opened_at").values_list("total_paise", flat=True)
    assert list(totals) == [385_000, 394_900]


def test_without_a_tick_nothing_is_ordered_and_what_was_typed_is_kept(client) -> None:
    bagged(client, "one")
    response = pay(client, name="Ravi Iyer")
    assert response.status_code == 422
    body = response.content.decode()
    assert "Tick at least one that you want to pay for." in body
    assert 'value="Ravi Iyer"' in body
    assert "checked" not in body.partition('name="hold"')[2].partition(">")[0]


def test_mistakes_keep_what_was_typed_and_ticked_also_after_a_reload(client) -> None:
    first, second = bagged(client, "one", "two")
    response = pay(client, second, email="asha at")
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["email"]
    assert {row.hold.pk: row.ticked for row in response.context["rows"]} == {
        first.pk: False,
        second.pk: True,
    }
    assert Contact.objects.get().email == "asha at"
    assert client.get("/bag/pay/").headers["Location"] == "/bag/"


def test_what_another_tab_ordered_leads_to_its_order(client) -> None:
    holds = bagged(client, "one", "two")
    address = pay(client, *holds).headers["Location"]
    response = pay(client, *holds)
    assert (response.status_code, response.headers["Location"]) == (303, address)


def test_one_key_orders_once(client) -> None:
    holds, once = bagged(client, "one", "two"), key()
    answers = {pay(client, *holds, idempotency_key=once).headers["Location"] for _ in range(2)}
    assert answers == {f"/orders/{Order.objects.get().number}/"}


@pytest.mark.parametrize("name", ["no-uuid", "theirs"])
def test_what_is_not_held_by_this_shopper_is_not_found(client, name) -> None:
    bagged(client, "one")
    theirs = holding(Client(), stocked(5, product="theirs"))
    response = pay(client, hold=[theirs.pk if name == "theirs" else name])
    assert response.status_code == 404
    assert not Order.objects.exists()


def test_an_empty_bag_leads_to_the_shop(client) -> None:
    page = client.get("/bag/")
    assert "Your bag is empty." in page.content.decode()
    [hold] = bagged(client, "one")
    assert press(client, hold, "cancel").status_code == 303
    assert "Your bag is empty." in client.get("/bag/").content.decode()


def test_a_poll_of_the_bag_gets_204_until_something_changes(client) -> None:
    [hold] = bagged(client, "one")
    seen = client.get("/bag/").context["seen"]
    assert client.get("/bag/", {"seen": seen}, headers=HTMX).status_code == 204
    old = aged(seen, MAX_AGE_SECONDS * 0.6)
    assert client.get("/bag/", {"seen": old}, headers=HTMX).status_code == 200
    services.change(reservation_id=hold.pk, quantity=2, seen=1)
    part = client.get("/bag/", {"seen": seen}, headers=HTMX)
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    # What is typed and ticked stays as it is in the browser.
    # Each field, and the place of what is wrong with each that is shown.
    assert part.content.decode().count("hx-preserve") == 11 + 9
