"""Whose a reservation is, and what others see of it: nothing."""

import re
from uuid import UUID

import pytest
from django.test import Client

from tests.shopping import HTMX, holding, press, press_reserve
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

NOBODYS = 1


def test_looking_around_begins_no_session(client) -> None:
    stocked(5)
    for address in ("/", "/p/tidal/", "/p/tidal/reserve/", "/reservations/", "/nope/"):
        client.get(address)
    assert "sessionid" not in client.cookies


def test_an_anonymous_shopper_is_a_random_id_kept_in_the_session(client) -> None:
    reservation = holding(client, stocked(5))
    assert re.fullmatch(r"session:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", reservation.holder)
    assert reservation.holder == client.session["holder"]
    assert client.session.session_key not in reservation.holder


def test_two_browsers_are_two_shoppers() -> None:
    row = stocked(5)
    assert holding(Client(), row).holder != holding(Client(), row).holder


def test_the_csrf_cookie_cannot_be_read_from_the_holder() -> None:
    row, browser = stocked(5), Client()
    browser.cookies["csrftoken"] = "s3cret" * 5 + "12"
    assert "s3cret" not in holding(browser, row).holder


def test_who_signs_in_still_owns_what_the_session_held(client, django_user_model) -> None:
    reservation = holding(client, stocked(5))
    client.force_login(django_user_model.objects.create_user("asha"))
    assert client.get(f"/checkout/{reservation.pk}/").status_code == 200
    mine = holding(client, stocked(5, product="reef"))
    assert mine.holder.startswith("user:")
    assert list(client.get("/reservations/").context["page"]) == [mine, reservation]


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", ""),
        ("get", "confirm/"),
        ("get", "cancel/"),
        ("get", "renew/"),
        ("post", "confirm/"),
        ("post", "cancel/"),
        ("post", "renew/"),
        ("post", "contact/"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_to_others_a_reservation_does_not_exist(client, method, address, headers) -> None:
    reservation = holding(Client(), stocked(5))
    form = {"idempotency_key": "k", "name": "Mallory", "email": "m@example.org"}
    ask = getattr(client, method)
    theirs = ask(f"/checkout/{reservation.pk}/{address}", form, headers=headers)
    nobodys = ask(f"/checkout/{UUID(int=NOBODYS)}/{address}", form, headers=headers)
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert same(theirs, reservation.pk) == same(nobodys, UUID(int=NOBODYS))
    reservation.refresh_from_db()
    assert (reservation.status, reservation.renewals) == ("pending", 0)


def same(response, asked_for: UUID) -> str:
    """The page without what always differs: the address asked for, and the time."""
    body = response.content.decode().replace(str(asked_for), "")
    return re.sub(r'data-now="[0-9.]+"', "", body)


def test_my_reservations_are_mine_live_ones_first(client) -> None:
    holding(Client(), stocked(5, product="theirs"))
    first = holding(client, stocked(5, product="first"))
    gone = holding(client, stocked(5, product="gone"))
    press(client, gone, "cancel")
    last = holding(client, stocked(5, product="last"))
    assert list(client.get("/reservations/").context["page"]) == [last, first, gone]


def test_my_reservations_never_show_a_dead_one_as_live(client) -> None:
    reservation = holding(client, stocked(5))
    pass_time(601)
    assert [r.status for r in client.get("/reservations/").context["page"]] == ["expired"]
    reservation.refresh_from_db()
    assert reservation.status == "expired"


def test_my_reservations_come_21_to_a_page(client, settings) -> None:
    settings.RESERVATION_MAX_LIVE = settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0
    for n in range(22):
        holding(client, stocked(1, product=f"vase-{n}"))
    assert len(client.get("/reservations/").context["page"]) == 21
    assert len(client.get("/reservations/?page=2").context["page"]) == 1
    for number in ("0", "3", "x"):
        assert client.get(f"/reservations/?page={number}").status_code == 404


def test_the_header_shows_live_holds_soonest_to_lapse_first(client, settings) -> None:
    later = holding(client, stocked(5, product="later"))
    settings.RESERVATION_TTL_SECONDS = 60
    sooner = holding(client, stocked(5, product="sooner"))
    response = client.get("/reservations/holds/")
    assert response.context["holds"] == [sooner, later]
    assert 'class="hold-pill"' in client.get("/").content.decode()
    pass_time(61)
    assert client.get("/reservations/holds/").context["holds"] == [later]


def test_a_shopper_who_holds_this_already_is_led_to_that_hold(client) -> None:
    row = stocked(5)
    reservation = holding(client, row)
    again = press_reserve(client, row, 3)
    assert again.headers["Location"] == f"/checkout/{reservation.pk}/"
    assert f'href="/checkout/{reservation.pk}/"' in client.get("/p/tidal/").content.decode()
