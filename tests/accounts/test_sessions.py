"""Where an account is signed in, and what signing out leaves behind."""

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from allo.accounts.devices import in_words
from allo.accounts.models import SignIn
from reservations import services
from reservations.models import Reservation
from tests.accounts.signing_in import ACCOUNT, ASK, signed_in
from tests.shopping import HTMX, holding, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db

SESSIONS, SIGNED_OUT = "/account/sessions/", f"{ASK}?why=signed-out"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
PHONE = f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36"
LAPTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Safari/537.36 Edg/130.0.0.0"
SAMSUNG = "Mozilla/5.0 (Linux; Android 13; SM-S911B) SamsungBrowser/26.0 Chrome/122 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"


@pytest.fixture
def phone() -> Client:
    return signed_in(client=Client(headers={"user-agent": PHONE}))


@pytest.fixture
def laptop() -> Client:
    return signed_in(client=Client(headers={"user-agent": LAPTOP}))


def is_signed_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (PHONE, "Chrome on Android"),
        (LAPTOP, "Firefox on Windows"),
        (IPHONE, "Safari on an iPhone"),
        (MAC, "Edge on a Mac"),
        (SAMSUNG, "Samsung Internet on Android"),
        ("", "A browser on an unknown device"),
        ("<script>alert(1)</script>" * 40, "A browser on an unknown device"),
    ],
)
def test_a_device_in_words(agent, words) -> None:
    assert in_words(agent) == words


def test_the_browsers_are_listed_and_this_one_is_marked(phone, laptop) -> None:
    signed_in("ravi@example.org")
    page = phone.get(SESSIONS).content.decode()
    assert re.findall(r"<strong>([^<]+)</strong>(, this browser)?", page) == [
        ("Firefox on Windows", ""),
        ("Chrome on Android", ", this browser"),
    ]
    assert str(phone.session.session_key) not in page


def test_another_browser_can_be_signed_out_from_here(phone, laptop) -> None:
    other = SignIn.objects.get(device="Firefox on Windows")
    stranger = signed_in("ravi@example.org")
    assert stranger.post(f"{SESSIONS}{other.pk}/end/").status_code == 404
    assert phone.get(f"{SESSIONS}{other.pk}/end/").status_code == 405
    assert is_signed_in(laptop)
    ended = phone.post(f"{SESSIONS}{other.pk}/end/")
    assert ended.headers["Location"] == f"{SESSIONS}?ended=1"
    assert (is_signed_in(phone), is_signed_in(laptop)) == (True, False)
    assert phone.post(f"{SESSIONS}{other.pk}/end/").status_code == 404
    mine = SignIn.objects.get(device="Chrome on Android")
    assert phone.post(f"{SESSIONS}{mine.pk}/end/").headers["Location"] == SIGNED_OUT
    assert not is_signed_in(phone)


def test_sign_out_everywhere_ends_all_sessions_of_the_account(phone, laptop) -> None:
    stranger = signed_in("ravi@example.org")
    # One that is not listed, as it began in some other way.
    SignIn.objects.filter(device="Firefox on Windows").delete()
    assert phone.post(f"{SESSIONS}end/").headers["Location"] == SIGNED_OUT
    assert [is_signed_in(client) for client in (phone, laptop, stranger)] == [False, False, True]
    assert is_signed_in(signed_in(client=laptop))


@pytest.mark.parametrize("way", ["each", "everywhere"])
def test_a_browser_that_is_signed_out_from_another_has_nothing_left(phone, way) -> None:
    lost = Client()
    before = holding(lost, stocked(5, product="before"))
    order = press(lost, holding(lost, stocked(5, product="bowl")), "confirm").headers["Location"]
    signed_in(client=lost)
    pages = ["/reservations/", "/orders/", f"/checkout/{before.pk}/", order]
    assert {lost.get(page).status_code for page in pages} == {200}
    lost.cookies["allo_place_1"] = lost.cookies["allo_code"] = "x"
    [other] = SignIn.objects.exclude(session=phone.session.session_key)
    phone.post(f"{SESSIONS}end/" if way == "everywhere" else f"{SESSIONS}{other.pk}/end/")
    for _again in range(2):
        shown = {page: lost.get(page) for page in pages}
        assert [page.status_code for page in shown.values()] == [200, 200, 404, 404]
        for page in pages[:2]:
            assert "Before" not in shown[page].content.decode()
            assert "Bowl" not in shown[page].content.decode()
    kept = {name for name, morsel in lost.cookies.items() if morsel.value}
    assert not kept & {"allo_visitor", "allo_place_1", "allo_code", "sessionid"}
    # What is reserved now is another holder's.
    assert holding(lost, stocked(5, product="jug")).holder != before.holder
    # A guest whose session ends keeps what they hold.
    guest = Client()
    held = holding(guest, stocked(5, product="cup"))
    guest.cookies["sessionid"] = "a" * 32
    assert guest.get(f"/checkout/{held.pk}/").status_code == 200


@pytest.mark.parametrize("way", ["sign out", "delete the account"])
@pytest.mark.parametrize("held_before", [False, True])
def test_nor_has_one_that_held_nothing_before_it_signed_in(phone, way, held_before) -> None:
    lost = Client()
    if held_before:
        services.release(reservation_id=holding(lost, stocked(5, product="before")).pk)
    signed_in(client=lost)
    lost.get("/p/tidal/reserve/")
    lost.cookies["allo_place_1"] = "x"
    if way == "sign out":
        phone.post(f"{SESSIONS}end/")
    else:
        phone.post("/account/delete/", {"word": "delete"})
    lost.get("/reservations/")
    left = {name for name, morsel in lost.cookies.items() if morsel.value}
    assert left <= {"csrftoken", "allo_acted"}


@pytest.fixture
def lost(phone) -> Client:
    """Held something before it signed in, and was signed out by the phone."""
    browser = Client()
    holding(browser, stocked(5, product="before"))
    signed_in(client=browser)
    phone.post(f"{SESSIONS}end/")
    return browser


def test_a_form_that_a_signed_out_browser_opens_first_is_that_of_a_new_holder(lost) -> None:
    """The response that makes it forget has a cookie of its own."""
    row = stocked(5, product="bowl")
    lost.get("/p/bowl/reserve/")
    begun = lost.cookies["allo_visitor"].value
    assert begun
    assert holding(lost, row).holder != Reservation.objects.get(name="Before").holder
    assert lost.cookies["allo_visitor"].value == begun


def test_a_signed_out_browser_that_signs_in_at_once_keeps_the_cookie_of_its_code(lost) -> None:
    assert is_signed_in(signed_in(client=lost))


@pytest.mark.parametrize(
    "address", [ACCOUNT, SESSIONS, "/account/e-mail/", "/account/e-mail/code/"]
)
def test_pages_of_an_account_are_stored_nowhere_and_need_one(phone, address) -> None:
    assert "no-store" in phone.get(address).headers["Cache-Control"]
    there = Client().get(address)
    assert (there.status_code, there.headers["Location"]) == (
        303, f"{ASK}?next={address.replace('/', '%2F')}",
    )  # fmt: skip
    assert Client().post(f"{SESSIONS}end/").headers["Location"] == ASK
    # A part that refreshes itself leads the whole browser there.
    part = Client().get(address, headers=HTMX)
    assert (part.status_code, part.headers["HX-Redirect"]) == (200, there.headers["Location"])


def test_staff_have_no_account_here(client) -> None:
    client.force_login(User.objects.create_user("boss", is_staff=True))
    page = client.get(ACCOUNT)
    assert (page.status_code, "signed in by a password" in page.content.decode()) == (200, True)
    assert client.get(ACCOUNT, headers=HTMX).headers["HX-Refresh"] == "true"


def test_signing_out_leaves_nothing_on_a_shared_computer(client) -> None:
    before = holding(client, stocked(5, product="before"))
    signed_in(client=client)
    hold = holding(client, stocked(5, product="vase"))
    order = press(client, holding(client, stocked(5, product="bowl")), "confirm")
    pages = ["/reservations/", "/orders/", "/bag/", ACCOUNT, f"/checkout/{hold.pk}/"]
    pages += [f"/checkout/{before.pk}/", order.headers["Location"]]
    assert {client.get(page).status_code for page in pages} == {200}
    # All that a browser could show again by its button "back".
    assert all("no-store" in client.get(page).headers["Cache-Control"] for page in pages)
    assert client.get("/account/sign-out/").status_code == 405
    out = client.post("/account/sign-out/")
    assert (out.status_code, out.headers["Location"]) == (303, SIGNED_OUT)
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "no-store" in out.headers["Cache-Control"]
    left = {name for name, cookie in client.cookies.items() if cookie.value}
    assert left == {"csrftoken", "allo_acted"}
    assert not Session.objects.exists()
    assert "Nothing of yours is left" in client.get(SIGNED_OUT).content.decode()
    shown = {page: client.get(page) for page in pages}
    assert [page.status_code for page in shown.values()] == [200, 200, 200, 303, 404, 404, 404]
    for name in ("vase", "bowl", "before", order.headers["Location"]):
        assert all(name not in shown[page].content.decode() for page in pages[:3])
    # What is reserved now is another holder's.
    assert holding(client, stocked(5, product="jug")).holder not in {before.holder, hold.holder}


def test_a_cookie_that_is_no_key_of_a_session_is_as_none(client) -> None:
    cookie = f'sessionid="{"a" * 31}\\000"'
    assert client.get(ACCOUNT, headers={"cookie": cookie}).status_code == 303
