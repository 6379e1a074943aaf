"""A reservation belongs to its holder, and others see nothing of it."""

import logging
import re
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler
from django.http import HttpResponse
from django.test import Client

from catalog.models import Product
from checkout.models import Contact
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import IdempotencyKey, Reservation
from reservations.shop import visitor
from tests.shopping import HTMX, holding, press, press_reserve
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

NOBODYS = 1


def test_looking_around_begins_no_session(client) -> None:
    stocked(5)
    for address in ("/", "/p/tidal/", "/p/tidal/reserve/", "/reservations/", "/nope/"):
        client.get(address)
    assert "sessionid" not in client.cookies


def test_cookies_are_set_only_with_what_is_never_stored(client) -> None:
    stocked(5)
    reservation = holding(Client(), stocked(5, product="reef"))
    for address in ("/", "/p/tidal/", "/p/tidal/stock/", "/reservations/", "/docs/", "/nope/"):
        assert not client.get(address).cookies, address
    form = client.get("/p/tidal/reserve/")
    assert form.headers["Cache-Control"] == "private, no-store"
    assert set(form.cookies) == {"allo_visitor", "csrftoken"}
    assert "allo_visitor" not in press(client, reservation, "cancel").cookies


def test_the_cookie_is_for_the_shop_alone(client, settings) -> None:
    stocked(5)
    for secure in (False, True):
        settings.HTTPS = secure
        cookie = client.get("/p/tidal/reserve/", secure=secure).cookies["allo_visitor"]
        assert len(cookie.value) == 43
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert bool(cookie["secure"]) == secure


def test_a_browser_keeps_its_cookie_and_an_account_needs_none(client, django_user_model) -> None:
    stocked(5)
    first, again = (client.get("/p/tidal/reserve/").cookies["allo_visitor"] for _ in range(2))
    assert first.value == again.value
    account = Client()
    account.force_login(django_user_model.objects.create_user("asha"))
    assert "allo_visitor" not in account.get("/p/tidal/reserve/").cookies


def test_nothing_that_anybody_reads_contains_the_cookie(client, caplog) -> None:
    """Neither as it is nor as the holder's name, which would say what belongs together."""
    caplog.set_level(logging.DEBUG)
    reservation = holding(client, stocked(5), 2)
    press(client, holding(client, stocked(5, product="sold")), "confirm")
    press_reserve(client, stocked(1, product="few"), 9)
    secret = client.cookies["allo_visitor"].value
    read = [str(model.objects.values()) for model in (Reservation, IdempotencyKey, Contact)]
    read += [str(Session.objects.values()), caplog.text]
    assert reservation.holder in read[0]
    for address in (
        "/", "/p/tidal/", "/p/tidal/reserve/", "/p/tidal/stock/", "/reservations/",
        "/reservations/holds/", f"/checkout/{reservation.pk}/",
        f"/checkout/{reservation.pk}/cancel/", f"/api/reservations/{reservation.pk}",
    ):  # fmt: skip
        page = client.get(address)
        assert page.status_code == 200
        shown = page.content.decode() + str(page.headers)
        assert reservation.holder.removeprefix("visitor:") not in shown, address
        read.append(shown)
    assert [text for text in read if secret in text] == []


def test_what_a_page_contains_makes_nobody_its_shopper(client) -> None:
    """A saved page has the CSRF token and, in its topics, a name for the holder."""
    reservation = holding(client, stocked(5))
    form = client.get(f"/checkout/{reservation.pk}/cancel/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    topics = re.search(r'data-live="holder:(\w+)', form)
    assert token
    assert topics
    for found in (token[1], client.cookies["csrftoken"].value, topics[1]):
        for name in ("csrftoken", "sessionid", "allo_visitor"):
            assert_is_nobody(found, name, reservation)


def test_what_the_database_and_the_admin_contain_makes_nobody_its_shopper(client) -> None:
    reservation = holding(client, stocked(5))
    name = reservation.holder.removeprefix("visitor:")
    for found in (reservation.holder, name, name.replace("-", ""), f"{name}1234567"):
        for cookie in ("csrftoken", "sessionid", "allo_visitor"):
            assert_is_nobody(found, cookie, reservation)


def assert_is_nobody(found: str, cookie: str, reservation: Reservation) -> None:
    stranger = Client()
    stranger.cookies[cookie] = found
    for _ in range(2):
        assert reservation not in listed(stranger)
        assert stranger.get(f"/checkout/{reservation.pk}/").status_code == 404
        assert stranger.get(f"/api/reservations/{reservation.pk}").status_code == 404
        assert press(stranger, reservation, "cancel").status_code == 404
        # Again as a shopper with a hold, since only then is there a holder.
        press_reserve(stranger, stocked(1, product=f"other-{uuid4()}"))


def test_two_browsers_are_two_shoppers() -> None:
    row = stocked(5)
    assert holding(Client(), row).holder != holding(Client(), row).holder


@pytest.fixture
def sign_in(client, django_user_model):
    """By the shop's own form, which renews the session's key, or ends another account's session."""
    make = django_user_model.objects.create_user
    for name in ("asha", "ravi"):
        make(name, password="open sesame", is_staff=True)

    def as_(name: str) -> None:
        form = {"username": name, "password": "open sesame"}
        assert client.post("/admin/login/", form).status_code == 302

    return as_


def sign_out(client: Client) -> None:
    assert client.post("/admin/logout/").status_code == 200
    assert "_auth_user_id" not in client.session


def listed(client: Client) -> list[Reservation]:
    return list(client.get("/reservations/").context["page"])


def test_what_was_held_before_signing_in_and_out_is_not_lost(client, sign_in) -> None:
    before = holding(client, stocked(5))
    sign_in("asha")
    assert client.get(f"/checkout/{before.pk}/").status_code == 200
    mine = holding(client, stocked(5, product="reef"))
    assert mine.holder.startswith("user:")
    assert listed(client) == [mine, before]
    sign_out(client)
    assert listed(client) == [before]
    assert client.get(f"/checkout/{mine.pk}/").status_code == 404
    after = holding(client, stocked(5, product="moon"))
    assert after.holder == before.holder
    assert press(client, before, "confirm").status_code == 303
    sign_in("asha")
    assert listed(client) == [after, mine, before]


@pytest.mark.parametrize("name", ["allo_visitor", "__Host-allo_visitor"])
def test_a_forgotten_browser_has_nothing_and_is_another_holder(client, settings, name) -> None:
    settings.VISITOR_COOKIE_NAME = name
    before = holding(client, stocked(5))
    response = HttpResponse()
    visitor.forget(response)
    gone = response.cookies[name]
    assert (gone["max-age"], gone["path"], bool(gone["secure"])) == (0, "/", name[0] == "_")
    client.cookies.pop(name)
    assert listed(client) == []
    after = holding(client, stocked(5, product="reef"))
    assert after.holder != before.holder
    assert listed(client) == [after]


def test_what_an_account_holds_is_not_shown_to_the_next_one_at_this_computer(
    client, sign_in
) -> None:
    sign_in("asha")
    ashas = holding(client, stocked(5))
    sign_in("ravi")
    ravis = holding(client, stocked(5, product="reef"))
    assert listed(client) == [ravis]
    assert client.get(f"/checkout/{ashas.pk}/").status_code == 404
    sign_out(client)
    assert listed(client) == []


def test_what_a_session_held_before_there_was_the_cookie_stays_its_shoppers(client) -> None:
    row, holder = stocked(5), f"session:{uuid4()}"
    session = client.session
    session["holder"] = holder
    session.save()
    hold = services.reserve(product_id=row.product_id, quantity=1, holder=Holder(holder))
    assert isinstance(hold, Reservation)
    assert client.get("/reservations/holds/").context["holds"] == [hold]
    new = holding(client, stocked(5, product="reef"))
    assert new.holder.startswith("visitor:")
    assert listed(client) == [new, hold]
    assert press(client, hold, "confirm").status_code == 303
    assert client.get(f"/api/reservations/{hold.pk}").json()["status"] == "confirmed"


def test_what_a_session_held_survives_signing_in_and_out(client) -> None:
    for name in ("asha", "ravi"):
        User.objects.create_user(name, password="open sesame", is_staff=name == "ravi")
    client.force_login(User.objects.get(username="asha"))
    row, holder = stocked(5), f"session:{uuid4()}"
    session = client.session
    session["holder"] = holder
    session.save()
    hold = services.reserve(product_id=row.product_id, quantity=1, holder=Holder(holder))
    # Another account: Django begins a new session, as it does at the end of one.
    client.post("/admin/login/", {"username": "ravi", "password": "open sesame"})
    assert client.session["_auth_user_id"] == str(User.objects.get(username="ravi").pk)
    assert listed(client) == [hold]
    client.post("/admin/logout/")
    assert "_auth_user_id" not in client.session
    assert listed(client) == [hold]


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
        ("post", "address/"),
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
    """The page without what always differs: the requested address, and the time."""
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


def ended(client, count: int) -> list[Reservation]:
    """This many released reservations of the shopper, newest first."""
    for n in range(count):
        holding(client, stocked(1, product=f"vase-{n}"))
    Reservation.objects.update(status="released", ended_at=Now())
    return list(Reservation.objects.order_by("-created_at"))


@pytest.fixture
def _without_limits(settings) -> None:
    settings.RESERVATION_MAX_LIVE = settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0


def neighbours(page) -> list[str]:
    return re.findall(r'<a class="button button-quiet" href="([^"]*)">(?:Newer|Older)', page)


@pytest.mark.usefixtures("_without_limits")
def test_my_reservations_come_21_to_a_page_and_lead_on_and_back(client) -> None:
    mine = ended(client, 43)
    first = client.get("/reservations/")
    [older] = neighbours(first.content.decode())
    second = client.get(f"/reservations/{older}")
    newer, oldest = neighbours(second.content.decode())
    last = client.get(f"/reservations/{oldest}")
    assert [list(page.context["page"]) for page in (first, second, last)] == [
        mine[:21],
        mine[21:42],
        mine[42:],
    ]
    [back] = neighbours(last.content.decode())
    assert list(client.get(f"/reservations/{back}").context["page"]) == mine[21:42]
    assert list(client.get(f"/reservations/{newer}").context["page"]) == mine[:21]
    with patch.object(SQLCompiler, "as_sql", side_effect=AssertionError("compiled again")):
        for address in ("", older, back, newer):
            assert client.get(f"/reservations/{address}").status_code == 200


@pytest.mark.usefixtures("_without_limits")
def test_what_is_made_meanwhile_makes_no_later_page_skip_or_repeat(client) -> None:
    mine = ended(client, 23)
    [older] = neighbours(client.get("/reservations/").content.decode())
    holding(client, stocked(1, product="new"))
    assert list(client.get(f"/reservations/{older}").context["page"]) == mine[21:]


def test_a_page_of_a_product_that_left_the_shop_says_how_its_hold_ended(client) -> None:
    held = holding(client, stocked(5))
    Product.objects.update(published_at=None)
    assert "You hold 1" in client.get("/p/tidal/mine/").content.decode()
    press(client, held, "cancel")
    assert "You hold" not in client.get("/p/tidal/mine/").content.decode()
    assert Client().get("/p/tidal/mine/").status_code == 404


def test_a_page_that_begins_at_no_reservation_of_mine_does_not_exist(client) -> None:
    holding(client, stocked(5))
    theirs = holding(Client(), stocked(5, product="theirs"))
    for name in (str(theirs.pk), str(UUID(int=NOBODYS)), "x", "\0", "1"):
        for side in ("before", "after"):
            assert client.get("/reservations/", {side: name}).status_code == 404


def test_what_was_held_with_and_without_an_account_is_one_list(client) -> None:
    visitor = holding(client, stocked(1, product="first"))
    client.force_login(User.objects.create_user("asha"))
    account = holding(client, stocked(1, product="second"))
    Reservation.objects.update(status="released", ended_at=Now())
    assert list(client.get("/reservations/").context["page"]) == [account, visitor]


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
    again = press_reserve(client, row)
    assert again.headers["Location"] == f"/checkout/{reservation.pk}/"
    assert f'href="/checkout/{reservation.pk}/"' in client.get("/p/tidal/").content.decode()
