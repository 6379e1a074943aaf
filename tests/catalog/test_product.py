import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Category, Product
from inventory.models import Inventory, Warehouse
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.staff.people import signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def test_the_page_shows_each_warehouse_with_what_is_free_and_held(client) -> None:
    blr, _ = stocked(3, warehouse="blr-01"), stocked(0, warehouse="del-01")
    services.reserve(product_id=blr.product_id, quantity=1, holder=Holder("session:a"))
    response = client.get("/p/tidal/")
    assert [
        (r.warehouse.code, r.available, r.reserved_units) for r in response.context["stock"]
    ] == [
        ("blr-01", 2, 1),
        ("del-01", 0, 0),
    ]
    assert response.context["available"] == 2
    assert response.context["next_lapse_at"] is None


def test_when_all_is_held_it_says_when_the_first_hold_may_lapse(client) -> None:
    row = stocked(2)
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:a"))
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:b"))
    first = Reservation.objects.get(holder="session:a")
    response = client.get("/p/tidal/")
    assert response.context["next_lapse_at"] == first.expires_at
    assert response.context["product"].next_lapse_at == first.expires_at
    assert "All held" in response.content.decode()


def test_sold_out_is_still_a_page(client) -> None:
    stocked(1)
    Inventory.objects.update(total_units=0)
    response = client.get("/p/tidal/")
    assert response.status_code == 200
    assert "Sold out" in response.content.decode()
    assert "in_stock=1" in response.content.decode()


def test_what_never_had_stock_is_coming_and_not_said_to_be_sold_out(client) -> None:
    stocked(0)
    page = client.get("/p/tidal/").content.decode()
    assert "Coming" in page
    assert "None here" in page
    assert "Sold out" not in page


@pytest.mark.parametrize(
    ("days", "today", "words"),
    [
        (None, "2026-11-27", None),
        (0, "2026-11-27", "Fri 27 Nov"),
        (1, "2026-11-28", "Mon 30 Nov"),
        (4, "2026-11-27", "Wed 2 Dec"),
    ],
)
def test_a_row_says_by_when_a_parcel_arrives_sundays_left_out(
    client, monkeypatch, days, today, words
) -> None:
    row = stocked(2)
    stocked(0, warehouse="del-01")
    Warehouse.objects.update(name="Bengaluru", days_to_arrive=days)
    monkeypatch.setattr(timezone, "localdate", lambda: date.fromisoformat(today))
    page = client.get("/p/tidal/").content.decode()
    shelf = re.search(rf'<li class="shelf" data-row="{row.pk}">(.+?)</li>', page, re.DOTALL)
    assert shelf
    text = re.sub(r"<[^>]+>", "", shelf[1]).split("\n")
    said = f"Bengaluru, arrives by {words}" if words else "Bengaluru"
    assert [line.strip() for line in text if line.strip()] == [said, "2 left"]
    assert 'class="shelf shelf-none"' in page


def test_before_an_opening_a_parcel_arrives_as_if_it_were_paid_for_at_that(client) -> None:
    row = stocked(2)
    Warehouse.objects.update(days_to_arrive=0)
    for days in (9, -9):
        row.product.opens_at = timezone.now() + timedelta(days=days)
        row.product.save()
        day = timezone.localdate() + timedelta(days=max(days, 0))
        assert (
            f"arrives by {day:%a} {day.day} {day:%b}<" in client.get("/p/tidal/").content.decode()
        )


def test_codes_and_what_is_held_are_for_staff_alone(client) -> None:
    row = stocked(3)
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:a"))
    for shopper in (client, signed_in("Support")):
        page = shopper.get("/p/tidal/").content.decode()
        assert "2 left" in page
        assert ("blr-01</a>" in page, "2 left, 1 held" in page) == (shopper is not client,) * 2


def test_pictures_are_shown_in_their_order_each_a_link_to_its_file(client) -> None:
    product = stocked(1).product
    alone = client.get("/p/tidal/").content.decode()
    assert "/media/products/tidal.webp" in alone
    assert "Picture 1 of" not in alone
    for position, words in ((2, "Its foot"), (1, "Its rim")):
        product.pictures.create(
            image=f"products/{position}.webp", width=9, height=9, alt=words, position=position
        )
    page = client.get("/p/tidal/").content.decode()
    views = re.findall(r'id="enlarge-\d" href="(.+?)".+?alt="(.+?)"', page, re.DOTALL)
    assert views == [
        ("/media/products/tidal.webp", "A vase"),
        ("/media/products/1.webp", "Its rim"),
        ("/media/products/2.webp", "Its foot"),
    ]
    assert page.count('href="#view-') == 3
    Product.objects.update(image="products/tidal.0123456789ab.webp", widths=[200, 400])
    served = client.get("/api/products/tidal").json()
    assert served["pictures"][0] == served["image"]
    assert served["image"]["sizes"] == [
        {"url": f"/media/products/tidal-{width}.0123456789ab.webp", "width": width}
        for width in (200, 400)
    ]
    assert [(one["url"], one["alt"], one["sizes"]) for one in served["pictures"][1:]] == [
        ("/media/products/1.webp", "Its rim", []),
        ("/media/products/2.webp", "Its foot", []),
    ]


def test_related_are_others_of_its_category(client) -> None:
    for slug in ("tidal", "oak", "elm", "ash", "fir", "yew"):
        stocked(1, product=slug)
    other = Category.objects.create(name="Stools", slug="stools")
    Product.objects.filter(slug="oak").update(category=other)
    related = client.get("/p/tidal/").context["related"]
    assert [product.slug for product in related] == ["elm", "ash", "fir", "yew"]


def test_cards_of_what_a_browser_remembers_come_in_its_order_and_only_of_the_shop(client) -> None:
    first, second, hidden = (stocked(1, product=name).product for name in ("elm", "ash", "fir"))
    Product.objects.filter(pk=hidden.pk).update(published_at=None)
    page = client.get(f"/viewed/?of={second.pk}.{hidden.pk}.{first.pk}.999999.{second.pk}")
    assert [product.slug for product in page.context["products"]] == ["ash", "elm"]
    assert client.get(f"/viewed/?of={hidden.pk}").content.strip() == b""
    for strange in ("", "0", "x", "1..2", "1.2.3.4.5.6.7", "1234567890", "1%00", "\u0661"):
        assert client.get(f"/viewed/?of={strange}").status_code == 404


def test_search_engines_read_price_and_availability(client) -> None:
    stocked(1)
    stocked(0, product="gone")
    Product.objects.filter(slug="gone").update(price_paise=5)
    assert offer(client, "tidal") == {
        "@type": "Offer",
        "priceCurrency": "INR",
        "price": "3850.00",
        "availability": "https://schema.org/InStock",
        "url": "http://testserver/p/tidal/",
    }
    gone = offer(client, "gone")
    assert (gone["price"], gone["availability"]) == ("0.05", "https://schema.org/OutOfStock")
    _, way = graph(client, "tidal")
    steps = [(step["position"], step["name"], step.get("item")) for step in way["itemListElement"]]
    assert steps == [
        (1, "Shop", "http://testserver/"),
        (2, "Vases", "http://testserver/?category=vases"),
        (3, "Tidal", None),
    ]


def offer(client, slug: str) -> dict[str, str]:
    found: dict[str, str] = graph(client, slug)[0]["offers"]
    return found


def graph(client, slug: str) -> Any:
    body = client.get(f"/p/{slug}/").content.decode()
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', body, re.DOTALL)
    assert found
    return json.loads(found[1])["@graph"]


@pytest.mark.parametrize(
    ("colour", "dark"),
    [("#000000", True), ("#141e20", True), ("#d7cfc2", False), ("#808080", False)],
)
def test_words_in_place_of_a_lost_picture_are_read_on_its_colour(client, colour, dark) -> None:
    stocked(5)
    Product.objects.update(dominant_hex=colour)
    page = client.get("/p/tidal/").content.decode()
    assert ('<span class="picture picture-dark">' in page) == dark
