"""Pressing Reserve gives one hold, or a plain reason with what is left."""

import re
from http.cookies import SimpleCookie

import pytest
from django.test import Client

from inventory.models import Inventory, Warehouse
from reservations import services
from reservations.engine.commands import Holder
from reservations.exceptions import Busy
from reservations.models import IdempotencyKey, Reservation
from tests.shopping import HTMX, hidden, holding, key, press, press_reserve
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def test_a_reservation_redirects_to_the_checkout(client) -> None:
    response = press_reserve(client, stocked(5), 2)
    reservation = Reservation.objects.get()
    assert response.status_code == 303
    assert response.headers["Location"] == f"/checkout/{reservation.pk}/"
    assert (reservation.quantity, reservation.address) == (2, "127.0.0.1/32")
    assert reservation.holder.startswith("visitor:")


def test_htmx_gets_the_address_of_the_checkout(client) -> None:
    response = press_reserve(client, stocked(5), headers=HTMX)
    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == f"/checkout/{Reservation.objects.get().pk}/"


def test_without_a_warehouse_it_is_taken_where_there_is_most(client) -> None:
    few, most = stocked(1, warehouse="blr-01"), stocked(5, warehouse="del-01")
    press_reserve(client, few, warehouse="")
    assert Reservation.objects.get().inventory_id == most.pk


def test_what_an_account_holds_counts_at_its_network_until_it_buys(
    client, django_user_model
) -> None:
    user = django_user_model.objects.create_user("asha")
    client.force_login(user)
    for n, address in enumerate(["127.0.0.1/32", ""]):
        reservation = holding(client, stocked(5, product=f"p-{n}"))
        assert (reservation.holder, reservation.address) == (f"user:{user.pk}", address)
        press(client, reservation, "confirm")


def test_reserving_twice_with_one_key_is_one_hold_and_one_answer(client) -> None:
    row, once = stocked(5), key()
    first = press_reserve(client, row, idempotency_key=once)
    again = press_reserve(client, row, idempotency_key=once)
    assert again.headers["Location"] == first.headers["Location"]
    assert Reservation.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "modal"])
def test_a_first_double_click_is_one_hold(headers) -> None:
    """Both are sent before any response, so they have only what came with the form."""
    row, form = stocked(5), Client()
    once = hidden(form.get("/p/tidal/reserve/", headers=headers))["idempotency_key"]
    places = set()
    for _ in range(2):
        click = Client()
        click.cookies = SimpleCookie(form.cookies.output(header="", sep=";"))
        answer = press_reserve(click, row, idempotency_key=once, headers=headers)
        places.add(answer.headers.get("HX-Redirect") or answer.headers["Location"])
    assert places == {f"/checkout/{Reservation.objects.get().pk}/"}


@pytest.mark.parametrize("cookie", [None, "", "x", "a" * 42, "a" * 44, "a" * 42 + "."])
def test_a_browser_without_a_cookie_holds_nothing_until_it_has_one(settings, cookie) -> None:
    """Otherwise a double click would make holds of two shoppers."""
    row, once, click = stocked(5), key(), Client()
    form = {"warehouse": row.warehouse.code, "quantity": 2, "idempotency_key": once}
    for _ in range(2):
        click = Client()
        if cookie is not None:
            click.cookies[settings.VISITOR_COOKIE_NAME] = cookie
        answer = click.post("/p/tidal/reserve/", form)
        assert answer.status_code == 422
        assert answer.context["refusal"].code == "not_known"
        assert "Please press Reserve once more." in answer.content.decode()
        assert answer.context["form"]["quantity"].value() == "2"
    assert not Reservation.objects.exists()
    assert holding(click, row, 2).quantity == 2


def test_the_same_key_of_another_shopper_is_another_hold() -> None:
    row, once = stocked(5), key()
    for _ in range(2):
        press_reserve(Client(), row, idempotency_key=once)
    assert Reservation.objects.count() == 2


def test_a_key_used_for_another_choice_is_a_conflict_that_a_second_press_solves(client) -> None:
    row, once = stocked(5), key()
    press_reserve(client, row, 1, idempotency_key=once)
    response = press_reserve(client, row, 2, idempotency_key=once)
    assert response.status_code == 409
    assert response.context["refusal"].code == "idempotency_conflict"
    assert response.context["form"]["quantity"].value() == 2
    assert hidden(response)["idempotency_key"] != once


def test_after_losing_the_race_what_is_left_is_shown_and_offered(client) -> None:
    row = stocked(2)
    response = press_reserve(client, row, 3)
    refusal = response.context["refusal"]
    assert response.status_code == 409
    assert (refusal.code, refusal.available, refusal.asked) == ("insufficient_stock", 2, 3)
    assert refusal.detail == "Only 2 left in blr-01, you asked for 3."
    assert response.context["form"]["quantity"].value() == 2
    assert response.context["form"]["warehouse"].value() == str(row.pk)
    assert not Reservation.objects.exists()


def test_a_replayed_refusal_is_the_same(client) -> None:
    row, once = stocked(2), key()
    press_reserve(client, row, 3, idempotency_key=once)
    Inventory.objects.update(total_units=9)
    response = press_reserve(client, row, 3, idempotency_key=once)
    assert response.status_code == 409
    assert response.context["refusal"].detail == "Only 2 left in blr-01, you asked for 3."


def test_with_nothing_left_here_another_warehouse_is_offered(client) -> None:
    here, _ = stocked(1, warehouse="blr-01"), stocked(2, warehouse="del-01")
    services.reserve(
        product_id=here.product_id,
        warehouse_id=here.warehouse_id,
        quantity=1,
        holder=Holder("session:b"),
    )
    response = press_reserve(client, here, 3)
    assert response.context["refusal"].detail == "Nothing is left in blr-01."
    assert response.context["form"]["warehouse"].value() == ""
    assert response.context["form"]["quantity"].value() == 2


def test_any_warehouse_has_as_many_as_the_one_with_the_most(client) -> None:
    row, _ = stocked(3, warehouse="blr-01"), stocked(3, warehouse="del-01")
    response = press_reserve(client, row, 5, warehouse="")
    refusal = response.context["refusal"]
    assert refusal.detail == "At most 3 left in one warehouse, you asked for 5."
    assert response.context["form"]["quantity"].value() == 3
    wanted = {"product": "tidal", "quantity": 5}
    answer = Client().post("/api/reservations", wanted, content_type="application/json").json()
    assert (answer["detail"], answer["available"]) == ("At most 3 left in one warehouse.", 3)


def test_htmx_gets_only_the_form_with_the_refusal(client) -> None:
    response = press_reserve(client, stocked(2), 3, headers=HTMX)
    body = response.content.decode()
    assert response.status_code == 409
    assert 'id="reserve-form"' in body
    assert "<html" not in body
    assert "Only 2 left in blr-01, you asked for 3." in body


def test_a_reached_limit_is_explained_in_a_sentence(client, settings) -> None:
    settings.RESERVATION_MAX_LIVE = 1
    holding(client, stocked(5))
    response = press_reserve(client, stocked(5, product="reef"))
    assert response.status_code == 409
    assert response.context["refusal"].code == "limit_reached"
    assert response.context["refusal"].detail == (
        "At most 1 of your reservations may be unpaid at once. Pay for one or cancel one first."
    )


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        ("0", "At least 1."),
        ("-1", "At least 1."),
        ("11", "At most 10."),
        ("1000000000000", "At most 10."),
        ("1.5", "Enter a whole number"),
        ("1e2", "Enter a whole number"),
        ("", "Fill this in"),
        ("two", "Enter a whole number"),
    ],
)
def test_an_invalid_quantity_is_explained_beside_its_field(client, quantity, said) -> None:
    response = press_reserve(client, stocked(99), quantity)
    assert response.status_code == 422
    assert said in response.context["form"].errors["quantity"][0]
    assert response.context["form"]["quantity"].value() == quantity
    assert not Reservation.objects.exists()


def test_without_a_limit_any_quantity_there_is_may_be_held(client, settings) -> None:
    settings.RESERVATION_MAX_UNITS = settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0
    assert press_reserve(client, stocked(500), 400).status_code == 303


@pytest.mark.parametrize("warehouse", ["nope", "\0", "del-01", "'; drop"])
def test_a_warehouse_without_the_product_is_refused(client, warehouse) -> None:
    response = press_reserve(client, stocked(5), warehouse=warehouse)
    assert response.status_code == 422
    assert "warehouse" in response.context["form"].errors


def values(client: Client, address: str, field: str) -> list[str]:
    """Of the fields of that name on a page, as far as they have any."""
    page = client.get(address).content.decode()
    return re.findall(rf'name="{field}" value="([^"]+)"', page)


def test_an_open_form_finds_the_warehouse_also_after_codes_were_changed(client) -> None:
    here, there = stocked(5, warehouse="blr-01"), stocked(5, warehouse="del-01")
    place, _ = values(client, "/p/tidal/reserve/", "warehouse")
    Warehouse.objects.filter(pk=here.warehouse_id).update(code="old")
    Warehouse.objects.filter(pk=there.warehouse_id).update(code="blr-01")
    assert press_reserve(client, here, 2, warehouse=place).status_code == 303
    held = Reservation.objects.get()
    assert (held.inventory_id, held.quantity) == (here.pk, 2)
    [saw] = values(client, "/p/tidal/reserve/", "held")
    Warehouse.objects.filter(pk=here.warehouse_id).update(code="new")
    assert press_reserve(client, here, 3, warehouse=place, held=saw).status_code == 303
    services.release(reservation_id=held.pk)
    [place] = values(client, f"/checkout/{held.pk}/", "warehouse")
    Warehouse.objects.filter(pk=here.warehouse_id).update(code="newest")
    assert press_reserve(client, here, 3, warehouse=place).status_code == 303
    live = Reservation.objects.get(status="pending")
    assert (live.inventory_id, live.quantity) == (here.pk, 3)


@pytest.mark.parametrize("bad", ["", "x" * 256, "a b", "a\nb", "ключ", "\0", "'; drop table x; --"])
def test_a_form_without_a_proper_key_is_refused_and_stores_nothing(client, bad) -> None:
    assert press_reserve(client, stocked(5), idempotency_key=bad).status_code == 400
    assert not Reservation.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("good", ["x" * 255, "!", "~", "'drop"])
def test_any_visible_ascii_is_a_key(client, good) -> None:
    assert press_reserve(client, stocked(5), idempotency_key=good).status_code == 303


def test_without_a_csrf_token_nothing_is_held() -> None:
    assert press_reserve(Client(enforce_csrf_checks=True), stocked(5)).status_code == 403
    assert not Reservation.objects.exists()


def test_a_busy_row_gives_browsers_a_page_with_retry_after(client, monkeypatch) -> None:
    monkeypatch.setattr("reservations.services.perform_once", busy)
    response = press_reserve(client, stocked(5))
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert "busy.html" in [template.name for template in response.templates]


def test_a_busy_row_is_reported_in_the_modal(client, monkeypatch) -> None:
    monkeypatch.setattr("reservations.services.perform_once", busy)
    response = press_reserve(client, stocked(5), 2, headers=HTMX)
    assert response.status_code == 503
    assert response.context["refusal"].code == "busy"
    assert response.context["form"]["quantity"].value() == 2
    assert 'id="reserve-form"' in response.content.decode()


def test_a_busy_reply_is_not_stored(client, monkeypatch) -> None:
    row, once = stocked(5), key()
    with monkeypatch.context() as patch:
        patch.setattr("reservations.services.perform_once", busy)
        press_reserve(client, row, idempotency_key=once)
    assert press_reserve(client, row, idempotency_key=once).status_code == 303


def test_the_form_page_starts_with_the_values_in_its_address(client) -> None:
    row = stocked(5)
    response = client.get("/p/tidal/reserve/?warehouse=blr-01&quantity=3")
    assert response.context["form"].chosen == row
    assert response.context["form"]["quantity"].value() == "3"
    assert response.headers["Cache-Control"] == "private, no-store"


def test_a_product_without_a_warehouse_cannot_be_reserved(client) -> None:
    row = stocked(0)
    Inventory.objects.all().delete()
    response = press_reserve(client, row, warehouse="")
    assert response.status_code == 409
    assert response.context["refusal"].detail == "Nothing is left."


def test_an_unknown_product_is_not_found(client) -> None:
    assert client.get("/p/nope/reserve/").status_code == 404
    assert client.post("/p/nope/reserve/", {"idempotency_key": key()}).status_code == 404
    assert client.get("/p/nope/stock/").status_code == 404


def test_the_panel_can_be_fetched_by_itself(client) -> None:
    reservation = holding(client, stocked(5), 2)
    response = client.get("/p/tidal/stock/")
    assert response.context["holds"] == [reservation]
    assert response.context["available"] == 3
    assert "<html" not in response.content.decode()


def busy(*_: object) -> None:
    raise Busy
