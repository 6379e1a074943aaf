"""Pages that visitors share: finished in front of all middleware, and never anybody's own."""

import gzip
import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from allo.web.shared import front as fronts
from allo.web.shared.front import Front, front
from allo.web.shared.keys import ACTED, HOLDS, NOWHERE, shareable
from allo.web.shared.store import Crowded, Store
from catalog.choices import COLOURS
from catalog.models import Product
from inventory.models import Inventory
from reservations.shop.holders import live_holds
from tests.shopping import hidden, holding, press_reserve
from tests.staff.people import NOBODY, signed_in
from tests.stock import stocked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_connection")]

SHARED = [
    "/", "/p/tidal/", "/p/tidal/stock/", "/docs/", "/docs/api/", "/docs/design/", "/api/products",
    "/api/products/tidal", "/sitemap.xml",
]  # fmt: skip
JOIN = "/p/tidal/waiting-list/"
FORM, DIALOG = "/p/tidal/reserve/", {"HX-Request": "true", "HX-Target": "reserve-dialog-body"}


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(path: str, *, of: Front | None = None, method: str = "GET", **meta: str) -> Got:
    environ = RequestFactory().generic(method, path).environ | {"HTTP_HOST": "testserver"} | meta
    said: list[Any] = []
    body = (of or front())(environ, lambda *what: said.append(what))
    content = b"".join(body)
    status, headers = said[-1][:2]
    return Got(int(status.split()[0]), {name.lower(): value for name, value in headers}, content)


@pytest.fixture(autouse=True)
def _no_answer_ages(monkeypatch) -> None:
    """However slow the machine: what ends by its age is tested with a clock of its own."""
    monkeypatch.setattr("allo.web.shared.store.RENEW_SECONDS", 600)
    monkeypatch.setattr("allo.web.shared.store.LIFE_SECONDS", 600)


@pytest.fixture(autouse=True)
def row(settings) -> Inventory:
    settings.SHARED_PAGES = True
    front()._store.reset()
    front()._rare.reset()
    return stocked(5)


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "testserver"})


@pytest.fixture
def renderings(monkeypatch) -> list[str]:
    """The path of each rendering, as it begins."""
    found: list[str] = []
    render = Front._render

    def counted(self: Front, key: Any) -> Any:
        found.append(key.path)
        return render(self, key)

    monkeypatch.setattr(Front, "_render", counted)
    return found


@pytest.mark.parametrize("path", SHARED)
def test_two_visitors_get_the_same_and_it_is_rendered_once(path, renderings) -> None:
    first = ask(path, HTTP_COOKIE="csrftoken=a; allo_visitor=b; other=c", REMOTE_ADDR="192.0.2.1")
    second = ask(path, HTTP_COOKIE="csrftoken=z", REMOTE_ADDR="192.0.2.2")
    assert first.status == second.status == 200
    assert first.body == second.body
    assert first.headers["etag"] == second.headers["etag"]
    assert "set-cookie" not in first.headers
    assert renderings == [path]


@pytest.mark.parametrize("path", SHARED)
def test_nothing_in_it_is_anybodys(path) -> None:
    body = ask(path, HTTP_COOKIE="csrftoken=" + "a" * 32).body.decode()
    for secret in ("csrfmiddlewaretoken", 'name="idempotency_key"', "holder:", "a" * 32):
        assert secret not in body
    assert "<!--" not in body, "the edges of holes are not shown"


def test_a_shared_answer_has_its_caching_headers() -> None:
    headers = ask("/p/tidal/").headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["x-accel-expires"] == "1"
    assert headers["vary"] == fronts.VARY
    assert re.fullmatch(r"now;dur=\d{13}", headers["server-timing"])
    assert "content-security-policy" in headers


def test_a_client_with_the_current_answer_gets_304() -> None:
    tag = ask("/p/tidal/").headers["etag"]
    again = ask("/p/tidal/", HTTP_IF_NONE_MATCH=tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == tag


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [("gzip, br", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False),
     ("\x00;;,q=gzip", False)],
)  # fmt: skip
def test_it_is_compressed_for_clients_that_accept_it(accepted, zipped) -> None:
    plain = ask("/p/tidal/")
    got = ask("/p/tidal/", HTTP_ACCEPT_ENCODING=accepted)
    assert (got.headers.get("content-encoding") == "gzip") is zipped
    assert (gzip.decompress(got.body) if zipped else got.body) == plain.body
    assert int(got.headers["content-length"]) == len(got.body)


def test_head_is_get_without_the_body(renderings) -> None:
    whole, head = ask("/p/tidal/"), ask("/p/tidal/", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert renderings == ["/p/tidal/"]


def test_what_makes_no_difference_is_no_other_page(renderings) -> None:
    for query in ("", "?utm_source=x&fbclid=y", "?sort=featured", "?q=&page=1", "?preview"):
        assert ask(f"/{query}").status == 200
    assert ask("/?sort=name&in_stock=1").body == ask("/?in_stock=1&x=1&sort=name").body
    assert renderings == ["/", "/"]


def test_several_choices_are_one_page_in_whatever_order_and_number(renderings) -> None:
    ask("/?colour=blue&colour=white")
    again = ["colour=white&colour=blue", "colour=blue&colour=blue&colour=&colour=white&x=1"]
    for query in again:
        ask(f"/?{query}")
    assert len(renderings) == 1
    ask("/?colour=blue")
    assert len(renderings) == 2
    # What is refused has one page, whatever it was.
    assert ask("/?colour=blue&colour=x").status == 404
    assert len(front()._store) == 3
    assert ask("/?colour=blue&colour=y").status == 404
    assert len(front()._store) == 3


def test_parts_are_kept_apart_from_pages() -> None:
    page = ask("/")
    results = ask("/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="results")
    cards = ask("/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="anything")
    boosted = ask("/", HTTP_HX_REQUEST="true", HTTP_HX_BOOSTED="true")
    assert len({page.body, results.body, cards.body}) == 3
    assert boosted.body == page.body
    assert results.headers["hx-push-url"] == "/"


@pytest.mark.parametrize(
    "meta",
    [
        {"HTTP_COOKIE": f"{django_settings.SESSION_COOKIE_NAME}=x"},
        {"HTTP_COOKIE": f"a=b; {HOLDS}=1"},
        {"HTTP_COOKIE": f"{ACTED}=1"},
        {"HTTP_AUTHORIZATION": "Bearer x"},
        {"REQUEST_METHOD": "POST"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": "testserver\x00"},
        {"PATH_INFO": "/p/tid\xc3\xa4l/"},
        {"PATH_INFO": "/nowhere/"},
        {"PATH_INFO": "/checkout/"},
        {"PATH_INFO": "/admin/"},
        {"QUERY_STRING": "q=%00"},
        {"QUERY_STRING": "q=%ff"},
        {"QUERY_STRING": "&".join("a=b" for _ in range(60))},
        {"QUERY_STRING": "q=" + "x" * 3000},
    ],
    ids=str,
)
def test_not_every_request_is_shared(meta) -> None:
    environ = RequestFactory().get("/p/tidal/").environ | {"HTTP_HOST": "testserver"} | meta
    assert shareable(environ) is None


def test_the_lists_for_programs_are_shared_whatever_the_cookies(renderings) -> None:
    for cookies in ("", f"{django_settings.SESSION_COOKIE_NAME}=x; {HOLDS}=1"):
        assert ask("/api/products", HTTP_COOKIE=cookies).status == 200
    assert renderings == ["/api/products"]


@pytest.mark.parametrize("path", ["/p/none/", "/?page=0", "/api/products?page=9&size=4"])
def test_a_refusal_is_not_kept(path, renderings) -> None:
    first, second = ask(path), ask(path)
    assert first.status == second.status != 200
    renderings = [path for path in renderings if path != NOWHERE]
    assert first.headers["cache-control"] == "no-store"
    assert len(renderings) == 2


def visitor(**more: Any) -> Client:
    return Client(headers={"host": "testserver"}, **more)


def test_a_form_to_join_a_list_is_rendered_once_and_accepted(renderings) -> None:
    Inventory.objects.update(total_units=0)
    strict = [visitor(enforce_csrf_checks=True) for _ in range(2)]
    forms = [
        hidden(client.get(JOIN, headers={"HX-Request": "true", "HX-Target": "join-dialog-body"}))
        for client in strict
    ]
    assert renderings == [JOIN]
    assert forms[0].keys() == {"csrfmiddlewaretoken", "idempotency_key"}
    assert not {*forms[0].values()} & {*forms[1].values()}
    for client, form in zip(strict, forms, strict=True):
        wish = {"quantity": 1, "warehouse": "", "email": "asha@example.org"}
        assert client.post(JOIN, form | wish).status_code == 303


@pytest.mark.parametrize("headers", [{}, DIALOG], ids=["page", "dialog"])
def test_the_form_to_reserve_is_rendered_once_and_each_gets_a_token_and_a_key(
    headers, renderings, django_assert_num_queries
) -> None:
    visitors = visitor(), visitor()
    first, second = (each.get(FORM, headers=headers) for each in visitors)
    assert renderings == [FORM]
    for name, value in hidden(first).items():
        assert value.encode() not in second.content, name
    for cookie in ("csrftoken", django_settings.VISITOR_COOKIE_NAME):
        assert visitors[0].cookies[cookie].value != visitors[1].cookies[cookie].value
    for response in (first, second):
        assert hidden(response).keys() == {"csrfmiddlewaretoken", "idempotency_key"}
        assert "no-store" in response.headers["Cache-Control"]
        assert "X-Accel-Expires" not in response.headers
        assert b"<!--" not in response.content
    assert "set-cookie" in ask(FORM).headers, "it is never answered in front of the shop"
    with django_assert_num_queries(0):
        visitor().get(FORM, headers=headers)


def test_a_shopper_with_a_hold_gets_a_form_rendered_alone(client, row, renderings) -> None:
    client.get(FORM, headers=DIALOG)
    holding(client, row, 2)
    assert b"You hold 2" in client.get(FORM, headers=DIALOG).content
    assert b"You hold" not in visitor().get(FORM, headers=DIALOG).content
    assert renderings == [FORM]


def test_a_form_that_follows_an_event_is_rendered_anew(client, renderings) -> None:
    client.get(FORM, headers=DIALOG)
    Inventory.objects.update(total_units=0)
    event = {"HX-Request": "true", "HX-Target": "reserve-form"}
    assert b"No warehouse has any now." in client.get(FORM, headers=event).content
    assert renderings == [FORM]


def test_a_form_of_shared_parts_is_accepted_and_acts_once(row) -> None:
    client = visitor(enforce_csrf_checks=True)
    form = hidden(client.get(FORM, headers=DIALOG)) | {"quantity": "1"}
    sent = [client.post(FORM, form) for _ in range(2)]
    assert [response.status_code for response in sent] == [303, 303]
    assert sent[1].headers["Idempotent-Replay"] == "true"
    row.refresh_from_db()
    assert row.reserved_units == 1


def test_a_view_that_sets_a_cookie_is_never_shared() -> None:
    seen: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_COOKIE", ""))
        start_response(
            "200 OK", [("Set-Cookie", f"who={len(seen)}"), ("Content-Type", "text/html")]
        )
        return [b"<p>hello</p>"]

    careless = Front(application, waiters=2)
    cookies = [ask("/p/tidal/", of=careless, HTTP_COOKIE=f"n={n}").headers for n in range(2)]
    assert [headers["set-cookie"] for headers in cookies] == ["who=2", "who=4"]
    assert seen == ["", "n=0", "", "n=1"]
    assert len(careless._store) == 0


def test_many_searches_push_nothing_out() -> None:
    ask("/p/tidal/")
    for number in range(50):
        ask(f"/?q=word{number}")
        ask(f"/suggestions/?q=word{number}")
    for colour in COLOURS:
        ask(f"/?colour={colour}&material=wood&sort=name")
    assert [getattr(key, "path", "") for key in front()._store._kept] == ["/p/tidal/"]
    assert len(front()._rare) == 0


def test_a_shopper_with_a_hold_sees_it_in_the_shared_page(client, renderings, row) -> None:
    held = holding(client, row, 2)
    stranger = ask("/p/tidal/").body.decode()
    mine = client.get("/p/tidal/").content.decode()
    assert renderings[-1] == "/p/tidal/"
    assert f"/checkout/{held.pk}/" in mine
    assert "You hold 2" in mine
    assert str(held.pk) not in stranger
    assert "You hold" not in stranger
    assert mine.count("<html") == 1
    assert "<!--" not in mine


def test_an_own_act_shows_at_once(client, row, renderings) -> None:
    assert "5 of 5 left" in ask("/p/tidal/").body.decode()
    press_reserve(client, row, 2)
    assert client.cookies[ACTED].value == "1"
    assert client.cookies[HOLDS].value == "1"
    assert "3 of 5 left" in client.get("/p/tidal/").content.decode()
    assert renderings == ["/p/tidal/", FORM, "/p/tidal/"]
    del client.cookies[ACTED]
    client.get("/p/tidal/")
    assert len(renderings) == 3, "what is fresh is shared, too"


def test_the_mark_of_a_hold_is_removed_when_a_page_finds_none(client, row) -> None:
    held = holding(client, row)
    held.refresh_from_db()
    client.post(f"/checkout/{held.pk}/cancel/", {"idempotency_key": "k"})
    client.get("/")
    assert client.cookies[HOLDS].value == ""


def test_a_visitor_of_nothing_costs_the_database_nothing(django_assert_num_queries) -> None:
    ask("/p/tidal/")
    with django_assert_num_queries(0):
        ask("/p/tidal/")


def test_staff_preview_what_is_not_in_the_shop_and_nobody_else_does(admin_client) -> None:
    Product.objects.update(published_at=None)
    assert admin_client.get("/p/tidal/?preview").status_code == 200
    assert ask("/p/tidal/?preview").status == 404
    viewer = Client()
    viewer.force_login(User.objects.create_user("viewer"))
    assert viewer.get("/p/tidal/?preview").status_code == 404


def test_staff_alone_find_the_way_to_the_admin(admin_client, row, renderings) -> None:
    product = f'href="/admin/catalog/product/{row.product_id}/change/"'
    without_a_role = signed_in(NOBODY)
    for path, its_page in (("/", 'href="/admin/"'), ("/p/tidal/", product)):
        assert its_page in admin_client.get(path).content.decode()
        assert 'href="/admin/"' in without_a_role.get(path).content.decode()
        assert "/admin/" not in ask(path).body.decode()
    assert product not in without_a_role.get("/p/tidal/").content.decode()
    assert renderings == ["/", "/p/tidal/"]


def test_a_session_without_holds_gets_the_shared_parts_and_the_way_to_its_account(
    client, renderings
) -> None:
    client.force_login(User.objects.create_user("asha"))
    assert '<a href="/account/sign-in/">Sign in</a>' in ask("/p/tidal/").body.decode()
    page = client.get("/p/tidal/")
    assert (page.status_code, "Sign in" in page.content.decode()) == (200, False)
    assert '<a href="/account/">Account</a>' in page.content.decode()
    assert renderings == ["/p/tidal/"]


def test_all_addresses_that_do_not_exist_share_one_page(client, row, renderings) -> None:
    got = [ask(path) for path in ("/x/", "/p/none/", "/deep/er", "/reservations/x/", "/x/?y=1")]
    assert {(it.status, "set-cookie" in it.headers) for it in got} == {(404, False)}
    assert len({it.body for it in got}) == 1
    assert b"Not on this" in got[0].body
    assert renderings.count(NOWHERE) == 1
    address = f"/checkout/{holding(client, row).pk}/"
    assert address in client.get("/y/").content.decode()
    assert address not in ask("/y/").body.decode()


def test_when_too_many_wait_for_a_page_each_gets_the_busy_page(client, monkeypatch) -> None:
    def crowded(*_: object, **__: object) -> None:
        raise Crowded

    monkeypatch.setattr(Store, "get", crowded)
    unknown, known = ask("/p/tidal/"), client.get("/p/tidal/", headers={"cookie": f"{HOLDS}=1"})
    assert unknown.status == known.status_code == 503
    for headers in (unknown.headers, known.headers):
        assert headers["retry-after"] == "2"
        # A part that htmx requested stays as it is, and so does the title.
        assert headers["hx-reswap"] == "none ignoreTitle:true"


def test_a_part_for_a_shopper_says_the_same_to_htmx(client) -> None:
    client.force_login(User.objects.create_user("asha"))
    headers = {"HX-Request": "true", "HX-Target": "results"}
    part = client.get("/?sort=name&x=1", headers=headers)
    assert part.headers["HX-Push-Url"] == "/?sort=name"
    assert "<html" not in part.content.decode()


def test_switched_off_each_page_is_rendered_for_itself(settings, client, renderings) -> None:
    settings.SHARED_PAGES = False
    assert ask("/p/tidal/").status == 200
    assert client.get("/p/tidal/").status_code == 200
    assert renderings == []
    assert live_holds(client.get("/p/tidal/").wsgi_request) == []
