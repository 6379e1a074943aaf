"""Requesting more or fewer units of a hold changes it, or the page explains why not."""

import re

import pytest
from django.test import Client

from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.accounts.signing_in import signed_in
from tests.joining import given_back, waiting
from tests.joining import opened as opened_link
from tests.shopping import HTMX, Page, holding, key, press, press_reserve, words
from tests.stock import pass_time, stocked
from tests.waiting import offer_of

pytestmark = pytest.mark.django_db


def form_of(page: Page) -> dict[str, str]:
    """The form's hidden fields."""
    body = page.content.decode()
    return dict(re.findall(r'type="hidden" name="(held|idempotency_key)" value="([^"]*)"', body))


def opened(client: Client, row: Inventory) -> dict[str, str]:
    return form_of(client.get(f"/p/{row.product.slug}/reserve/"))


def quantity(reservation: Reservation) -> int:
    reservation.refresh_from_db()
    return reservation.quantity


@pytest.mark.parametrize("wanted", [1, 4])
@pytest.mark.parametrize("anywhere", [True, False])
def test_the_hold_gets_the_requested_quantity(client, wanted, anywhere) -> None:
    row = stocked(5)
    held = holding(client, row, 2)
    form = opened(client, row)
    assert form["held"] == f"{row.pk}:2"
    choice = {"warehouse": ""} if anywhere else {}
    response = press_reserve(client, row, wanted, **form, **choice)
    assert (response.status_code, response.headers["Location"]) == (303, f"/checkout/{held.pk}/")
    assert quantity(held) == wanted
    assert Reservation.objects.count() == 1
    again = press_reserve(client, row, wanted, **form, **choice)
    assert again.headers["Idempotent-Replay"] == "true"


def test_the_form_shows_the_held_quantity_as_its_initial_value(client) -> None:
    row, there = stocked(5), stocked(5, warehouse="del-01")
    holding(client, there, 3)
    page = client.get("/p/tidal/reserve/")
    body = page.content.decode()
    assert "You hold 3 from del-01." in body
    assert "How many in all" in body
    form = page.context["form"]
    assert (form["warehouse"].value(), form["quantity"].value()) == (str(there.pk), 3)
    assert "You hold" not in Client().get(f"/p/{row.product.slug}/reserve/").content.decode()


def test_a_hold_of_the_last_units_can_still_be_made_smaller(client) -> None:
    row = stocked(3)
    held = holding(client, row, 3)
    page = client.get("/p/tidal/reserve/")
    assert re.search(rf'value="{row.pk}"\s+checked', page.content.decode())
    press_reserve(client, row, 1, **form_of(page))
    assert quantity(held) == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_form_without_a_seen_quantity_changes_no_hold(client, headers) -> None:
    row = stocked(9)
    old = opened(client, row)
    held = holding(client, row, 4)
    response = press_reserve(client, row, 1, **old, headers=headers)
    assert response.status_code == 409
    assert response.context["refusal"].code == "already_held"
    assert "You hold 4 from blr-01." in response.content.decode()
    assert quantity(held) == 4
    # The form is shown again with the current quantity; one click sends it.
    assert response.context["form"]["quantity"].value() == 1
    assert press_reserve(client, row, 1, **form_of(response)).status_code == 303
    assert quantity(held) == 1


def test_a_form_with_an_old_quantity_is_refused_with_the_current_one(client) -> None:
    row = stocked(9)
    held = holding(client, row, 1)
    old = opened(client, row)
    services.change(reservation_id=held.pk, quantity=5)
    response = press_reserve(client, row, 2, **old)
    assert response.status_code == 409
    assert "You hold 5 of it now." in response.context["refusal"].detail
    assert "You hold 5 from blr-01." in response.content.decode()
    assert quantity(held) == 5


@pytest.mark.parametrize("ended", ["confirm", "cancel", "time"])
def test_an_ended_hold_is_not_silently_made_again(client, ended) -> None:
    row = stocked(9)
    held = holding(client, row, 1)
    old = opened(client, row)
    pass_time(601) if ended == "time" else press(client, held, ended)
    response = press_reserve(client, row, 2, **old)
    assert response.status_code == 409
    assert "You no longer hold it." in response.context["refusal"].detail
    assert not Reservation.objects.live().exists()
    assert press_reserve(client, row, 2, **form_of(response)).status_code == 303
    assert Reservation.objects.live().get().quantity == 2


def test_beside_an_offer_of_the_same_row_the_shoppers_own_hold_is_changed(client) -> None:
    row = stocked(4)
    held = holding(client, row, 1)
    rest = services.reserve_in(rows=(row.pk,), quantity=3, holder=Holder("token:1:a", cap=0))
    waiting(row, quantity=2)
    entry = given_back(rest)
    opened_link(entry, client)
    page = client.get("/p/tidal/reserve/")
    assert form_of(page)["held"] == f"{row.pk}:1"
    assert "2 more from blr-01 are held for you besides, and stay as they are." in words(page)
    assert press_reserve(client, row, 2, **form_of(page)).status_code == 303
    assert (quantity(held), quantity(offer_of(entry))) == (2, 2)


def test_of_the_accounts_and_the_browsers_hold_the_first_to_lapse_is_changed(client) -> None:
    row = stocked(9)
    first = holding(signed_in(), row, 2)
    other = holding(client, row, 3)
    signed_in(client=client)
    form = opened(client, row)
    assert form["held"] == f"{row.pk}:2"
    assert press_reserve(client, row, 1, **form).status_code == 303
    assert (quantity(first), quantity(other)) == (1, 3)


def test_what_was_taken_out_of_the_shop_can_be_reduced_by_its_holder_and_not_grow(client) -> None:
    row, other = stocked(9), stocked(9, warehouse="del-01")
    held = holding(client, row, 3)
    Product.objects.update(published_at=None)
    bag = client.get("/bag/").content.decode()
    assert 'href="/p/tidal/reserve/"' in bag
    assert 'href="/p/tidal/"' not in bag
    page = client.get("/p/tidal/reserve/")
    assert "Tidal was taken out of the shop." in words(page)
    assert 'href="/p/tidal/"' not in page.content.decode()
    assert press_reserve(client, row, 4, **form_of(page)).status_code == 422
    assert press_reserve(client, row, 2, **form_of(page)).status_code == 303
    assert quantity(held) == 2
    elsewhere = press_reserve(client, other, 1, **opened(client, row))
    assert elsewhere.context["refusal"].code == "not_in_shop"
    assert Client().get("/p/tidal/reserve/").status_code == 404
    press(client, held, "cancel")
    assert client.get("/p/tidal/reserve/").status_code == 404


def test_more_than_is_left_is_refused_and_the_rest_is_offered(client) -> None:
    row = stocked(5)
    held = holding(client, row, 2)
    holding(Client(), row, 2)
    response = press_reserve(client, row, 5, **opened(client, row))
    assert response.status_code == 409
    assert response.context["refusal"].detail == (
        "Only 1 more left in blr-01, 3 with those you hold; you asked for 5 in all."
    )
    assert "Take 3" in response.content.decode()
    assert press_reserve(client, row, 3, **form_of(response)).status_code == 303
    assert quantity(held) == 3


def test_with_nothing_more_left_the_hold_is_kept(client) -> None:
    row = stocked(2)
    held = holding(client, row, 2)
    response = press_reserve(client, row, 3, **opened(client, row))
    assert response.context["refusal"].detail == (
        "Nothing more is left in blr-01. You keep the 2 you hold."
    )
    assert quantity(held) == 2


def test_at_another_price_a_hold_does_not_grow_and_both_prices_are_shown(client) -> None:
    row = stocked(9)
    held = holding(client, row, 2)
    Product.objects.update(price_paise=10_000_000)
    form = opened(client, row)
    response = press_reserve(client, row, 3, **form)
    assert response.status_code == 409
    detail = response.context["refusal"].detail
    assert "₹\N{NO-BREAK SPACE}3,850 each" in detail
    assert "₹\N{NO-BREAK SPACE}1,00,000 now" in detail
    assert quantity(held) == 2
    assert press_reserve(client, row, 1, **form_of(response)).status_code == 303


def test_the_total_is_of_the_price_of_the_chosen_warehouse(client) -> None:
    row, other = stocked(9), stocked(9, warehouse="del-01")
    holding(client, row, 2)
    Product.objects.update(price_paise=120_000)

    def total(**chosen: object) -> str:
        page = client.get("/p/tidal/reserve/", {"quantity": 2, **chosen}).content.decode()
        for value, each in (("", 385_000), (row.pk, 385_000), (other.pk, 120_000)):
            assert f'data-each="{each}" name="warehouse" value="{value}"' in page
        found = re.search(r"<output .*>₹\N{NO-BREAK SPACE}(.*)</output>", page)
        assert found
        return found[1]

    assert [total(), total(warehouse=row.pk)] == ["7,700"] * 2
    assert total(warehouse=other.pk) == "2,400"


def test_the_limits_apply_to_a_changed_quantity(client) -> None:
    row = stocked(50)
    held = holding(client, row, 9)
    form = {"held": "blr-01:9", "idempotency_key": key()}
    other = stocked(50, product="other")
    holding(client, other, 10)
    response = press_reserve(client, row, 11, **form)
    assert response.status_code == 422
    response = press_reserve(client, other, 10, held="blr-01:10")
    assert response.status_code == 303
    press_reserve(client, row, 10, held="blr-01:9")
    response = press_reserve(client, stocked(5, product="third"), 1)
    assert "at most 20 unpaid units, and with these" in response.context["refusal"].detail
    assert quantity(held) == 10


@pytest.mark.parametrize("held", ["x", "blr-01:x", "blr-01:-1", "blr-01:1,", "a:1" * 400, "\0:1"])
def test_invalid_hidden_fields_are_refused_and_change_nothing(client, held) -> None:
    row = stocked(5)
    mine = holding(client, row)
    assert press_reserve(client, row, 3, held=held).status_code == 422
    assert quantity(mine) == 1


def test_holds_of_others_cannot_be_changed(client) -> None:
    row = stocked(5)
    theirs = holding(Client(), row, 2)
    assert press_reserve(client, row, 1, held="blr-01:2").status_code == 409
    assert quantity(theirs) == 2


@pytest.mark.parametrize("verb", ["confirm", "cancel"])
def test_the_checkout_ends_a_hold_only_with_the_quantity_it_showed(client, verb) -> None:
    row = stocked(9)
    held = holding(client, row, 1)
    shown = {"quantity": "1"}
    assert 'name="quantity" value="1"' in client.get(f"/checkout/{held.pk}/").content.decode()
    services.change(reservation_id=held.pk, quantity=4)
    response = press(client, held, verb, **shown)
    assert response.status_code == 409
    body = response.content.decode()
    assert "You hold 4 of it now." in body
    assert 'name="quantity" value="4"' in body
    held.refresh_from_db()
    assert held.is_pending
    assert press(client, held, verb, quantity="4").status_code == 303


def test_an_open_checkout_refreshes_after_another_quantity(client) -> None:
    held = holding(client, stocked(9))
    address = f"/checkout/{held.pk}/"
    seen = client.get(address).context["seen"]
    services.change(reservation_id=held.pk, quantity=4)
    part = client.get(address, {"seen": seen}, headers=HTMX)
    assert part.status_code == 200
    assert "4 from blr-01" in part.content.decode()
