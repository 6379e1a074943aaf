"""The checkout: what is held and for how long, paying, letting go, and each way it can end."""

from datetime import timedelta

import pytest
from django.forms import Select
from django.test import Client
from django.utils import timezone

from catalog.models import Product
from checkout.forms import BuyerForm, _region_options
from checkout.models import Contact, Order
from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder
from reservations.exceptions import Busy
from reservations.models import Reservation
from tests.shopping import BUYER, HTMX, holding, key, press, press_reserve, terms
from tests.stock import pass_time, stocked, units
from tests.waiting import joined

pytestmark = pytest.mark.django_db


def status(reservation: Reservation) -> str:
    return Reservation.objects.values_list("status", flat=True).get(pk=reservation.pk)


def test_the_checkout_shows_what_is_held_where_and_until_when(client) -> None:
    reservation = holding(client, stocked(5), 2)
    response = client.get(f"/checkout/{reservation.pk}/")
    assert response.context["reservation"] == reservation
    assert response.context["reservation"].total_paise == 770_000
    assert response.headers["Cache-Control"] == "private, no-store"
    body = response.content.decode()
    local = timezone.localtime(reservation.expires_at)
    assert f'datetime="{local.isoformat()}"' in body
    assert f"{local:%H:%M}" in body
    assert "₹\N{NO-BREAK SPACE}7,700" in body


@pytest.mark.parametrize("region", [None, "", "KA", "<b>"])
def test_the_states_are_rendered_once_as_django_renders_them(region) -> None:
    wrong = {"region": region, "pin": "x"}
    for form in (BuyerForm(initial={"region": region}), BuyerForm(wrong), BuyerForm(wrong)):
        form.is_valid()
        ours = str(form["region"])
        kept = _region_options.cache_info().misses
        widget = form.fields["region"].widget
        plain = Select(widget.attrs, choices=widget.choices)
        assert ours == str(form["region"]) == form["region"].as_widget(plain)
        assert _region_options.cache_info().misses == kept


def test_confirming_sells_what_was_held(client) -> None:
    row = stocked(5)
    reservation = holding(client, row, 2)
    response = press(client, reservation, "confirm")
    assert response.status_code == 303
    order = Order.objects.get()
    assert response.headers["Location"] == f"/orders/{order.number}/"
    assert (order.state, order.total_paise, order.city) == ("paid", 770_000, "Bengaluru")
    assert status(reservation) == "confirmed"
    assert units(row) == (3, 0)
    assert Contact.objects.values_list("name", "email").get() == ("Asha Rao", "asha@example.org")


def test_htmx_is_sent_to_the_order(client) -> None:
    reservation = holding(client, stocked(5))
    response = press(client, reservation, "confirm", headers=HTMX)
    assert response.headers["HX-Redirect"] == f"/orders/{Order.objects.get().number}/"
    assert status(reservation) == "confirmed"


def test_what_is_collected_has_no_address_and_no_shipping(client, settings) -> None:
    settings.SHIPPING_PAISE = 9_900
    reservation = holding(client, stocked(5))
    page = client.get(f"/checkout/{reservation.pk}/")
    assert (page.context["bill"].goods, page.context["bill"].sent) == (385_000, 394_900)
    bill = page.context["bill"]
    assert (bill.gst, bill.gst_if_sent) == (58_729, 60_239)
    press(client, reservation, "confirm", delivery="collect", pin="no")
    order = Order.objects.get()
    assert (order.total_paise, order.is_collected, order.pin) == (385_000, True, "")
    assert order.shipping_gst_paise == 0


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("SHIPPING_PAISE", (0, 9_900), "price_changed"),
        ("PAYMENT_PROVIDER", ("bank", "none"), "provider_changed"),
    ],
)
def test_a_setting_that_changed_is_shown_before_anything_is_ordered(
    client, settings, name, values, code
) -> None:
    before, now = values
    setattr(settings, name, before)
    reservation = holding(client, stocked(5))
    address = f"/checkout/{reservation.pk}/"
    page = client.get(address)
    setattr(settings, name, now)
    refused = press(client, reservation, "confirm", email="ravi@example.org", **terms(page))
    assert (refused.status_code, refused.context["refusal"].code) == (409, code)
    assert "That did not work." not in refused.content.decode()
    assert (status(reservation), Order.objects.count()) == ("pending", 0)
    assert Contact.objects.get().email == "ravi@example.org"
    # A page that is open shows it by itself.
    poll = client.get(address, {"seen": page.context["seen"]}, headers=HTMX)
    assert terms(poll) == terms(refused) != terms(page)
    assert press(client, reservation, "confirm", **terms(refused)).status_code == 303
    assert status(reservation) == "confirmed"


def test_cancelling_frees_the_units(client) -> None:
    row = stocked(5)
    reservation = holding(client, row, 2)
    assert press(client, reservation, "cancel").status_code == 303
    assert status(reservation) == "released"
    assert units(row) == (5, 0)


def test_without_script_cancelling_asks_on_a_page_first(client) -> None:
    reservation = holding(client, stocked(5))
    response = client.get(f"/checkout/{reservation.pk}/cancel/")
    assert response.context["reservation"] == reservation
    assert status(reservation) == "pending"


def test_more_time_is_a_fresh_ttl_as_often_as_allowed(client) -> None:
    reservation = holding(client, stocked(5))
    pass_time(500)
    assert press(client, reservation, "renew").status_code == 303
    reservation.refresh_from_db()
    assert reservation.expires_at > timezone.now() + timedelta(seconds=400)
    press(client, reservation, "renew")
    response = press(client, reservation, "renew")
    assert response.status_code == 409
    assert response.context["refusal"].detail == (
        "This was extended 2 times already, the most allowed."
    )
    assert response.context["reservation"].is_pending


def test_more_time_pressed_twice_with_one_key_is_given_once(client) -> None:
    reservation, once = holding(client, stocked(5)), key()
    for _ in range(2):
        assert press(client, reservation, "renew", idempotency_key=once).status_code == 303
    reservation.refresh_from_db()
    assert reservation.renewals == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("verb", ["confirm", "cancel", "renew"])
def test_past_its_time_every_form_is_refused_and_the_page_shows_it(client, verb, headers) -> None:
    row = stocked(5)
    reservation = holding(client, row, 2)
    pass_time(601)
    response = press(client, reservation, verb, headers=headers)
    assert response.status_code == 410
    assert response.context["reservation"].status == "expired"
    assert ("<html" in response.content.decode()) == (headers == {})
    assert units(row) == (5, 0)


def test_past_its_time_the_page_shows_the_expiry_not_the_forms_mistakes(client) -> None:
    reservation = holding(client, stocked(5))
    pass_time(601)
    response = press(client, reservation, "confirm", email="")
    assert response.status_code == 410
    assert response.context["reservation"].status == "expired"


def test_reading_it_past_its_time_shows_it_expired(client) -> None:
    reservation = holding(client, stocked(5))
    pass_time(601)
    assert client.get(f"/checkout/{reservation.pk}/").context["reservation"].status == "expired"
    assert status(reservation) == "expired"


@pytest.mark.parametrize("form", [{}, {"email": ""}])
def test_confirming_in_a_second_tab_leads_to_the_order(client, form) -> None:
    row = stocked(5)
    reservation = holding(client, row)
    address = press(client, reservation, "confirm").headers["Location"]
    response = press(client, reservation, "confirm", **form)
    assert (response.status_code, response.headers["Location"]) == (303, address)
    assert client.get(f"/checkout/{reservation.pk}/").headers["Location"] == address
    assert units(row) == (4, 0)


def test_confirming_twice_with_one_key_is_one_sale_and_one_answer(client) -> None:
    row, once = stocked(5), key()
    reservation = holding(client, row)
    for _ in range(2):
        response = press(client, reservation, "confirm", idempotency_key=once)
        assert response.headers["Location"] == f"/orders/{Order.objects.get().number}/"
    assert units(row) == (4, 0)


def test_one_key_on_two_forms_is_two_requests(client) -> None:
    reservation, once = holding(client, stocked(5)), key()
    assert press(client, reservation, "renew", idempotency_key=once).status_code == 303
    assert press(client, reservation, "confirm", idempotency_key=once).status_code == 303
    assert status(reservation) == "confirmed"


@pytest.mark.parametrize("verb", ["confirm", "cancel", "renew"])
def test_a_form_without_a_proper_key_does_nothing(client, verb) -> None:
    reservation = holding(client, stocked(5))
    for bad in ("", "x" * 256, "a\x07b"):
        assert press(client, reservation, verb, idempotency_key=bad).status_code == 400
    assert status(reservation) == "pending"


@pytest.mark.parametrize("verb", ["confirm", "renew"])
def test_reloading_after_a_refusal_leads_back_to_the_checkout(client, verb) -> None:
    reservation = holding(client, stocked(5))
    response = client.get(f"/checkout/{reservation.pk}/{verb}/")
    assert response.status_code == 303
    assert response.headers["Location"] == f"/checkout/{reservation.pk}/"


@pytest.mark.parametrize(
    ("name", "email", "wrong"),
    [
        ("", "asha@example.org", ["name"]),
        ("Asha", "", ["email"]),
        ("Asha", "asha at example", ["email"]),
        ("A\0sha", "asha@example.org", ["name"]),
        ("A" * 121, "a" * 250 + "@example.org", ["email", "name"]),
    ],
)
def test_mistakes_are_shown_beside_their_fields_and_nothing_is_sold(
    client, name, email, wrong
) -> None:
    reservation = holding(client, stocked(5))
    response = press(client, reservation, "confirm", name=name, email=email)
    assert response.status_code == 422
    assert sorted(response.context["form"].errors) == wrong
    assert response.context["form"]["name"].value() == name
    assert status(reservation) == "pending"


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("email", "asha at example", "This is not an e-mail address, such as asha@example.org."),
        ("phone", "12345", "This is not a telephone number, such as 98450 12345."),
        ("delivery", "", "Choose one of the two."),
        ("line1", "", "Fill this in."),
        ("city", "\u200b", "Write something that can be seen: this has no visible character."),
        ("region", "XX", "Choose one of the list."),
        ("pin", "56001", "A PIN code has six digits, such as 560001."),
        ("pin", "012345", "No PIN code begins with 0."),
    ],
)
def test_each_mistake_in_an_address_is_beside_its_field_and_in_the_summary(
    client, field, typed, words
) -> None:
    reservation = holding(client, stocked(5))
    response = press(client, reservation, "confirm", **{field: typed})
    assert response.status_code == 422
    assert response.context["form"].errors == {field: [words]}
    body = response.content.decode()
    assert f'<p id="id_{field}_error" class="field-error">{words}</p>' in body
    assert f'<a href="#id_{field}">' in body
    assert f'aria-describedby="id_{field}_error"' in body
    assert not Order.objects.exists()


@pytest.mark.parametrize("typed", ["560001 ", "560 001", "560-001", "५६०००१"])
def test_a_pin_code_is_understood_as_keyboards_write_it(client, typed) -> None:
    reservation = holding(client, stocked(5))
    assert press(client, reservation, "confirm", pin=typed).status_code == 303
    assert Order.objects.get().pin == "560001"


def test_the_input_is_kept_after_a_mistake_and_a_reload(client) -> None:
    reservation = holding(client, stocked(5))
    press(client, reservation, "confirm", name="Asha", email="asha at")
    form = client.get(f"/checkout/{reservation.pk}/").context["form"]
    assert (form["name"].value(), form["email"].value()) == ("Asha", "asha at")


def test_the_input_outlives_the_hold_for_the_next_reservation(client) -> None:
    row = stocked(5)
    reservation = holding(client, row)
    response = client.post(f"/checkout/{reservation.pk}/contact/", {"name": "Asha", "email": "a@b"})
    assert response.status_code == 204
    pass_time(601)
    assert press(client, reservation, "confirm", name="Asha Rao").status_code == 410
    again = holding(client, row)
    form = client.get(f"/checkout/{again.pk}/").context["form"]
    assert (form["name"].value(), form["email"].value()) == ("Asha Rao", "asha@example.org")


def test_the_input_is_not_shown_to_another_shopper(client) -> None:
    row = stocked(5)
    press(client, holding(client, row), "confirm")
    other = Client()
    form = other.get(f"/checkout/{holding(other, row).pk}/").context["form"]
    assert form["name"].value() is None


def test_the_contact_of_a_sale_is_not_changed_by_a_draft(client) -> None:
    reservation = holding(client, stocked(5))
    press(client, reservation, "confirm")
    client.post(f"/checkout/{reservation.pk}/contact/", {"name": "Mallory", "email": ""})
    press(client, reservation, "confirm", name="Mallory")
    assert Contact.objects.get().name == "Asha Rao"


@pytest.mark.parametrize(("held", "left", "offered"), [(2, 5, 2), (3, 1, 1)])
def test_an_ended_checkout_offers_as_much_as_is_left(client, held, left, offered) -> None:
    row = stocked(5)
    reservation = holding(client, row, held)
    press(client, reservation, "cancel")
    if left < 5:
        services.reserve(product_id=row.product_id, quantity=5 - left, holder=Holder("session:b"))
    response = client.get(f"/checkout/{reservation.pk}/")
    assert response.context["again"] == row
    assert response.context["again_quantity"] == offered
    assert press_reserve(client, row, offered).status_code == 303


def test_an_ended_checkout_offers_another_warehouse_if_none_is_left_here(client) -> None:
    here, there = stocked(1, warehouse="blr-01"), stocked(4, warehouse="del-01")
    reservation = holding(client, here)
    press(client, reservation, "cancel")
    services.reserve(
        product_id=here.product_id,
        warehouse_id=here.warehouse_id,
        quantity=1,
        holder=Holder("session:b"),
    )
    assert client.get(f"/checkout/{reservation.pk}/").context["again"] == there


def test_an_unpublished_product_is_not_offered_again(client) -> None:
    """It has no link to the missing page either, and an open checkout is refreshed."""
    row = stocked(3)
    reservation = holding(client, row)
    press(client, reservation, "cancel")
    address = f"/checkout/{reservation.pk}/"
    seen = client.get(address).context["seen"]
    Product.objects.update(published_at=None)
    response = client.get(address)
    assert response.context["again"] is None
    body = response.content.decode()
    assert "Tidal is not in the shop any more." in body
    assert "/p/tidal/" not in body
    assert client.get(address, {"seen": seen}, headers=HTMX).status_code == 200
    assert client.get(address, {"seen": response.context["seen"]}, headers=HTMX).status_code == 204


def test_with_nothing_left_it_shows_when_a_hold_may_lapse(client) -> None:
    row = stocked(1)
    reservation = holding(client, row)
    press(client, reservation, "cancel")
    theirs = holding(Client(), row)
    response = client.get(f"/checkout/{reservation.pk}/")
    assert response.context["again"] is None
    assert response.context["next_lapse_at"] == theirs.expires_at


def test_with_all_set_aside_for_those_who_wait_it_says_so_and_not_that_it_has_sold_out(
    client,
) -> None:
    row = stocked(1)
    reservation = holding(client, row)
    joined(row)
    press(client, reservation, "cancel")
    response = client.get(f"/checkout/{reservation.pk}/")
    assert response.context["again"] is None
    body = response.content.decode()
    assert "Every piece is held or promised right now." in body
    seen = response.context["seen"]
    Inventory.objects.update(total_units=0)
    sold_out = client.get(f"/checkout/{reservation.pk}/", {"seen": seen}, headers=HTMX)
    assert "It has sold out." in sold_out.content.decode()


def test_a_poll_gets_204_until_something_changes(client) -> None:
    reservation = holding(client, stocked(5))
    address = f"/checkout/{reservation.pk}/"
    seen = client.get(address).context["seen"]
    assert client.get(address, {"seen": seen}, headers=HTMX).status_code == 204
    press(client, reservation, "renew")
    renewed = client.get(address, {"seen": seen}, headers=HTMX)
    assert renewed.status_code == 200
    services.release(reservation_id=reservation.pk)
    ended = client.get(address, {"seen": renewed.context["seen"]}, headers=HTMX)
    assert ended.context["reservation"].status == "released"
    assert "<html" not in ended.content.decode()
    seen, again = ended.context["seen"], {**HTMX, "HX-Target": "again"}
    assert client.get(address, {"seen": seen}, headers=again).status_code == 204
    holding(Client(), reservation.inventory, quantity=2)
    offered = client.get(address, {"seen": seen}, headers=again)
    assert "3 left" in offered.content.decode()
    assert "The time ran" not in offered.content.decode()


def test_history_and_plain_reloads_get_the_whole_page(client) -> None:
    address = f"/checkout/{holding(client, stocked(5)).pk}/"
    restore = {**HTMX, "HX-History-Restore-Request": "true"}
    seen = client.get(address).context["seen"]
    for headers in ({}, restore):
        response = client.get(address, {"seen": seen}, headers=headers)
        assert "<html" in response.content.decode()
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize("verb", ["confirm", "cancel", "renew"])
def test_a_busy_row_shows_the_busy_page_and_nothing_changes(client, monkeypatch, verb) -> None:
    reservation = holding(client, stocked(5))
    monkeypatch.setattr("reservations.services.perform_once", busy)
    monkeypatch.setattr("checkout.orders.opening.perform_once", busy)
    response = press(client, reservation, verb)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    response = press(client, reservation, verb, headers=HTMX)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.context["refusal"].code == "busy"
    assert status(reservation) == "pending"
    # What was typed is kept all the same.
    assert Contact.objects.filter(name=BUYER["name"]).exists() == (verb == "confirm")


def test_markup_in_a_name_is_escaped(client) -> None:
    reservation = holding(client, stocked(5))
    press(client, reservation, "confirm", name="<img src=x onerror=alert(1)>", email="no")
    body = client.get(f"/checkout/{reservation.pk}/").content.decode()
    assert "<img src=x" not in body
    assert "&lt;img src=x" in body


def busy(*_: object) -> None:
    raise Busy
