"""Rules for every page of the shop."""

import re
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo.live.rooms import page as rooms
from catalog.models import Product
from tests.scripts import served
from tests.shopping import Page, holding, press, press_reserve
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

SCRIPTS = Path(settings.BASE_DIR) / "static/js"
MOST_SCRIPT = 25_000
SHEET = "/static/css/shop.css"

Element = tuple[str, dict[str, str | None]]


class Elements(HTMLParser):
    def __init__(self, response: Page) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(response: Page, *tags: str) -> list[Element]:
    return [found for found in Elements(response).found if found[0] in tags]


def shop_pages(client: Client) -> dict[str, Page]:
    stocked(3)
    stocked(0, product="gone")
    later = stocked(2, product="later").product
    Product.objects.filter(pk=later.pk).update(opens_at=timezone.now() + timedelta(hours=1))
    visits = {
        "grid": "/",
        "grid, later page": "/?page=1",
        "grid, nothing found": "/?q=zzz",
        "product": "/p/tidal/",
        "product, sold out": "/p/gone/",
        "product, before its opening": "/p/later/",
        "reserve": "/p/tidal/reserve/",
        "no reservations": "/reservations/",
        "empty bag": "/bag/",
        "no orders": "/orders/",
        "find an order": "/orders/find/",
        "not found": "/nope/",
        "docs": "/docs/",
        "design": "/docs/design/",
        "API": "/api/docs",
    }
    return {name: client.get(address) for name, address in visits.items()}


def checkout_pages(client: Client) -> dict[str, Page]:
    """A checkout in each state, made before any page is requested."""
    states = ("expired", "pending", "confirmed", "released")
    held = {state: holding(client, stocked(1, product=state)) for state in states}
    pass_time(601, pk=held["expired"].pk)
    press(client, held["confirmed"], "confirm")
    press(client, held["released"], "cancel")
    pages = {state: client.get(f"/checkout/{held[state].pk}/") for state in states}
    # What is confirmed leads to its order.
    pages["confirmed"] = client.get(pages["confirmed"].headers["Location"])
    assert pages["confirmed"].context["order"].state == "paid"
    for state in ("expired", "pending", "released"):
        assert pages[state].context["reservation"].status == state
    return {
        **pages,
        "cancel": client.get(f"/checkout/{held['pending'].pk}/cancel/"),
        "bag": client.get("/bag/"),
        "orders": client.get("/orders/"),
    }


def refusals(client: Client) -> dict[str, Page]:
    row = stocked(2, product="wanted")
    reservation = holding(Client(), stocked(1, product="held"))
    return {
        "too few left": press_reserve(client, row, 3),
        "no quantity": press_reserve(client, row, "x"),
        "someone else's": press(client, reservation, "confirm"),
        "nothing ticked": client.post("/bag/pay/", {"idempotency_key": "key"}),
        "no such order": client.get("/orders/AL-0000-0000/"),
        "no csrf token": press_reserve(Client(enforce_csrf_checks=True), row),
        "no key": press_reserve(client, row, idempotency_key=""),
    }


@pytest.fixture
def pages(client) -> dict[str, Page]:
    return {**shop_pages(client), **checkout_pages(client), **refusals(client)}


def test_every_page_has_one_h1_a_title_and_a_language(pages) -> None:
    for name, page in pages.items():
        assert len(elements(page, "h1")) == 1, name
        assert len(elements(page, "title")) == 1, name
        assert elements(page, "html")[0][1].get("lang"), name


def test_no_page_has_a_script_or_style_of_its_own(pages) -> None:
    for name, page in pages.items():
        for tag, attributes in Elements(page).found:
            assert "style" not in attributes, (name, tag)
            assert not [attribute for attribute in attributes if attribute.startswith("on")], name
            assert tag != "style", name
            if tag == "script":
                assert "src" in attributes or attributes["type"] == "application/ld+json", name


def test_no_page_shows_the_marks_of_its_source(pages) -> None:
    for name, page in pages.items():
        shown = re.sub(r"<(pre|script)\b.*?</\1>", "", page.content.decode(), flags=re.DOTALL)
        assert re.findall(r".{0,60}`.{0,60}", shown) == [], name


def test_a_page_waits_for_one_sheet_and_its_scripts_are_small(pages) -> None:
    """All scripts that it may load, unpacked, also what it loads once something has changed."""
    pages["waiting room"] = HttpResponse(rooms.render(name="Tidal", home="/p/tidal/"))
    for name, page in pages.items():
        links = [attributes for _, attributes in elements(page, "link")]
        assert [a["href"] for a in links if a["rel"] == "stylesheet"] == [SHEET], name
        for _, attributes in elements(page, "script"):
            assert "blocking" not in attributes, name
            assert attributes.get("type") or "defer" in attributes, name
        found = {a.get("src") or a.get("data-script") for _, a in elements(page, "script", "i")}
        own = {path for path in found if path and path.startswith("/static/js/")}
        sizes = {path: len(served(SCRIPTS / path.rpartition("/")[2])) for path in own}
        assert sum(sizes.values()) <= MOST_SCRIPT, (name, sizes)


def test_every_page_is_served_under_the_strict_policy(pages) -> None:
    for name, page in pages.items():
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert page.headers["X-Content-Type-Options"] == "nosniff", name
        assert page.headers["X-Frame-Options"] == "DENY", name
        assert page.headers["Referrer-Policy"] == "same-origin", name


def test_every_form_that_posts_carries_a_token_and_a_key(pages) -> None:
    for name, page in pages.items():
        forms = [a for _, a in elements(page, "form") if (a.get("method") or "").lower() == "post"]
        hidden = [a.get("name") for _, a in elements(page, "input") if a.get("type") == "hidden"]
        assert hidden.count("csrfmiddlewaretoken") == len(forms), name
        assert hidden.count("idempotency_key") == len(forms), name


def test_every_picture_has_its_size_and_a_text(pages) -> None:
    for name, page in pages.items():
        for _, attributes in elements(page, "img"):
            assert {"alt", "width", "height"} <= attributes.keys(), name


def test_every_id_is_there_once_and_every_label_has_its_field(pages) -> None:
    for name, page in pages.items():
        ids = Counter(a["id"] for _, a in Elements(page).found if "id" in a)
        assert set(ids.values()) <= {1}, name
        labelled = {a["for"] for _, a in elements(page, "label") if "for" in a}
        assert labelled <= ids.keys(), name


def test_everything_a_page_loads_exists_in_this_shop(pages) -> None:
    asked = {
        attributes.get("src") or attributes.get("href") or ""
        for page in pages.values()
        for _, attributes in elements(page, "script", "img", "use", "link", "source")
    }
    static = {
        path.partition("#")[0].removeprefix("/static/") for path in asked if "/static/" in path
    }
    assert [path for path in static if not finders.find(path)] == []
    assert {urlsplit(path).netloc for path in asked} == {"", "testserver"}


def test_personal_pages_are_never_stored_and_stock_is_always_revalidated(client) -> None:
    for name, page in {**shop_pages(client), **checkout_pages(client)}.items():
        if name == "not found":
            continue
        own = {"reserve", "no reservations", "cancel", "empty bag", "bag", "no orders", "orders"}
        own |= {"find an order", "confirmed"}
        private = name in own or "reservation" in page.context
        wanted = "private, no-store" if private else "private, no-cache"
        assert page.headers["Cache-Control"] == wanted, name


def test_errors_say_their_status(pages) -> None:
    statuses = {name: page.status_code for name, page in pages.items() if page.status_code != 200}
    assert statuses == {
        "not found": 404,
        "too few left": 409,
        "no quantity": 422,
        "someone else's": 404,
        "nothing ticked": 422,
        "no such order": 404,
        "no csrf token": 403,
        "no key": 400,
    }


def test_an_error_of_ours_has_a_page_that_needs_nothing(client, monkeypatch) -> None:
    monkeypatch.setattr("reservations.shop.grid._grid_context", lambda *_, **__: 1 / 0)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert len(elements(response, "h1")) == 1
    assert '<a class="button button-accent" href="">Try again</a>' in response.content.decode()


def test_an_unknown_host_is_refused(client) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_the_address_of_a_refused_request_is_logged_escaped(client, caplog) -> None:
    client.get("/x%0AINFO%20forged", headers={"Host": "evil.example"})
    [said] = [line.getMessage() for line in caplog.records if line.name == "allo.site.errors"]
    assert said == r"bad request: DisallowedHost: '/x\nINFO forged'"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "address",
    ["/", "/p/tidal/", "/p/tidal/stock/", "/reservations/", "/bag/", "/orders/", "/docs/"],
)
def test_read_only_pages_refuse_other_methods(client, method, address) -> None:
    assert getattr(client, method)(address).status_code == 405


def test_robots_txt_allows_the_shop_and_excludes_private_pages(client) -> None:
    stocked(1)
    robots = client.get("/robots.txt").content.decode()
    for path in ("account", "checkout", "bag", "orders", "waiting-list"):
        assert f"Disallow: /{path}/\n" in robots
    assert "Sitemap: http://testserver/sitemap.xml\n" in robots
    with CaptureQueriesContext(connection) as made:
        sitemap = client.get("/sitemap.xml").content.decode()
    assert all("description" not in query["sql"] for query in made)
    assert "<loc>http://testserver/p/tidal/</loc>" in sitemap
    assert "<loc>http://testserver/docs/</loc>" in sitemap


def test_a_picture_with_a_hash_in_its_name_is_immutable(client, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "tidal.0123456789ab.webp").write_bytes(b"picture")
    (tmp_path / "tidal.webp").write_bytes(b"picture")
    hashed = client.get("/media/tidal.0123456789ab.webp")
    assert b"".join(hashed) == b"picture"
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["Content-Type"] == "image/webp"
    plain = client.get("/media/tidal.webp")
    assert plain.headers["Cache-Control"] == "max-age=3600"
    plain.close()


@pytest.mark.parametrize(
    "path", ["", "nope.webp", "../allo.env", "%2e%2e/allo.env", "products", "\0"]
)
def test_no_other_file_is_served(client, settings, tmp_path, path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    (tmp_path / "media/products").mkdir(parents=True)
    (tmp_path / "allo.env").write_text("SECRET")
    assert client.get(f"/media/{path}").status_code in {400, 404}
