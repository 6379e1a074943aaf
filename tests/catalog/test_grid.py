"""The grid: everything it shows is in its address."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from catalog import paging
from catalog.models import Category, Product
from inventory.adjustments import Adjustment
from inventory.models import Inventory, StockMovement
from inventory.services import apply
from reservations import services
from reservations.engine.commands import Holder
from tests.shopping import HTMX
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db


def shelf(*names: str) -> None:
    for name in names:
        stocked(3, product=name)


def names(response) -> list[str]:
    return [product.name for product in response.context["shown"]]


def test_the_first_page_shows_21_and_the_way_to_more(client) -> None:
    shelf(*(f"vase-{n:02}" for n in range(22)))
    response = client.get("/")
    assert names(response) == [f"Vase-{n:02}" for n in range(21)]
    assert response.context["total"] == 22
    last = response.context["shown"][-1]
    assert response.context["next_url"] == f"/?page=2&after={last.pk}~0"
    assert response.context["hero"]
    assert response.content.decode().count(f'data-stock="{last.pk}"') == 1


def test_a_later_page_by_itself_shows_the_list_as_it_had_grown(client) -> None:
    shelf(*(f"vase-{n:02}" for n in range(45)))
    response = client.get("/?page=2")
    assert len(names(response)) == 42
    last = response.context["shown"][-1]
    assert response.context["next_url"] == f"/?page=3&after={last.pk}~0"
    assert not response.context["hero"]
    assert len(names(client.get("/?page=3"))) == 45


def test_load_more_brings_only_the_new_cards(client) -> None:
    shelf(*(f"vase-{n:02}" for n in range(45)))
    response = client.get("/?page=2", headers={**HTMX, "HX-Target": "load-more"})
    assert names(response) == [f"Vase-{n:02}" for n in range(21, 42)]
    body = response.content.decode()
    assert body.count("<article") == 21
    assert "<html" not in body
    assert 'href="/?page=3' in body


def test_a_filter_brings_the_results_and_a_clean_address(client) -> None:
    shelf("oak", "brass")
    response = client.get(
        "/?q=oak&category=&sort=featured", headers={**HTMX, "HX-Target": "results"}
    )
    body = response.content.decode()
    assert 'id="results"' in body
    assert "<html" not in body
    assert response.headers["HX-Push-Url"] == "/?q=oak"
    assert "<title>“oak” – Allo</title>" in body
    assert '<p hx-swap-oob="innerHTML:#shop-title">“oak”</p>' in body
    assert '<p hx-swap-oob="innerHTML:#first-sort">Best match</p>' in body
    assert "hx-swap-oob" not in client.get("/?q=oak").content.decode()


def test_history_gets_the_whole_page_of_the_same_address(client) -> None:
    shelf("oak")
    restored = client.get("/?q=oak", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()
    assert "HX-Request" in restored.headers["Vary"]


def test_every_word_of_a_search_has_to_be_found(client) -> None:
    shelf("tall-oak", "oak", "tall-brass")
    assert names(client.get("/?q=OAK+tall")) == ["Tall-Oak"]
    assert names(client.get("/?q=vases+brass")) == ["Tall-Brass"]


def test_in_stock_leaves_out_what_is_held_or_sold_out(client) -> None:
    held, free = stocked(1, product="held"), stocked(1, product="free")
    stocked(0, product="none")
    stocked(1, product="free", warehouse="del-01")
    services.reserve(product_id=held.product_id, quantity=1, holder=Holder("session:a"))
    services.reserve(product_id=free.product_id, quantity=1, holder=Holder("session:a"))
    response = client.get("/?in_stock=1")
    assert names(response) == ["Free"]
    assert response.context["active"] == {"in_stock": 1}
    assert response.context["shown"][0].available == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1", ["Free"]), ("true", ["Free"]), ("on", ["Free"]), ("0", ["Free", "None"]),
     ("false", ["Free", "None"]), ("False", ["Free", "None"]), ("", ["Free", "None"]),
     ("no", ["Free", "None"])],
)  # fmt: skip
def test_in_stock_set_to_false_is_no_filter(client, value, shown) -> None:
    stocked(1, product="free")
    stocked(0, product="none")
    assert names(client.get(f"/?in_stock={value}")) == shown
    if value in {"1", "true", "0", "false", ""}:
        results = client.get(f"/api/products?in_stock={value}").json()["results"]
        assert [result["name"] for result in results] == shown


def test_a_category_shows_its_own_and_offers_the_others(client) -> None:
    shelf("oak", "elm")
    stools = Category.objects.create(name="Stools", slug="stools", position=1)
    Product.objects.filter(slug="elm").update(category=stools)
    response = client.get("/?category=stools&q=vase")
    assert names(response) == ["Elm"]
    assert response.context["total"] == 1
    assert [c.value for c in response.context["categories"]] == ["", "vases", "stools"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["Oak", "Elm", "Ash"]),
        ("featured", ["Oak", "Elm", "Ash"]),
        ("name", ["Ash", "Elm", "Oak"]),
        ("price", ["Elm", "Ash", "Oak"]),
        ("-price", ["Oak", "Ash", "Elm"]),
        ("newest", ["Ash", "Oak", "Elm"]),
    ],
)
def test_sorting(client, sort, order) -> None:
    shelf("oak", "elm", "ash")
    for slug, paise in (("oak", 300), ("elm", 100), ("ash", 200)):
        Product.objects.filter(slug=slug).update(price_paise=paise)
    Product.objects.filter(slug__in=("oak", "elm")).update(
        published_at=timezone.now() - timedelta(days=1)
    )
    assert names(client.get(f"/?sort={sort}")) == order


def test_unpublished_products_are_not_shown(client) -> None:
    shelf("oak", "elm")
    Product.objects.filter(slug="oak").update(published_at=None)
    tomorrow = timezone.now() + timedelta(days=1)
    Product.objects.filter(slug="elm").update(published_at=tomorrow)
    assert names(client.get("/")) == []
    assert client.get("/p/oak/").status_code == 404
    assert client.get("/p/elm/").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.0",
        "page=1000000",
        "page=2&after=x",
        "page=2&after=1",
        "page=2&after=1~2~3",
        "page=2&after=-1~0",
        "page=2&after=1~%00",
        "page=2&after=" + "9" * 5000,
        "sort=newest&after=1~0~999999999999999999",
        "sort=name&page=2&after=x~Oak",
        "in_stock=maybe",
        "page=" + "9" * 5000,
        "sort=id",
        "sort='",
        "category=nope",
        "category=%00",
        "category=%3Cscript%3E",
        "q=%00",
        "q=" + "x" * 10_000,
        "page=%00",
    ],
)
def test_an_invalid_address_of_a_list_is_404(client, query) -> None:
    shelf("oak")
    assert client.get(f"/?{query}").status_code == 404


@pytest.mark.parametrize("page", ["2", "9", "999999"])
def test_a_page_past_the_end_shows_the_list_and_its_end(client, page) -> None:
    shelf("oak")
    response = client.get(f"/?in_stock=1&page={page}")
    whole = page != "999999"
    assert names(response) == (["Oak"] if whole else [])
    assert response.context["next_url"] is None
    body = response.content.decode()
    assert "That is all there is." in body
    assert ("from its start" in body) is not whole
    part = client.get(f"/?page={page}", headers={**HTMX, "HX-Target": "load-more"})
    assert part.status_code == 200
    assert "<article" not in part.content.decode()
    assert "That is all there is." in part.content.decode()


EVERY_ORDER = ["", "sort=newest", "sort=price", "sort=-price", "sort=name", "q=vase", "q=vaze"]


@pytest.mark.parametrize("query", EVERY_ORDER)
def test_nothing_is_skipped_or_repeated_while_stock_changes(client, query) -> None:
    """Between two parts what was shown sells out, and what was sold out comes back."""
    shelf(*(f"vase-{n:02}" for n in range(60)))
    back = [stocked(0, product=f"back-{n}") for n in range(5)]
    first = client.get(f"/?in_stock=1&{query}")
    shown = names(first)
    assert len(shown) == 21
    gone = Inventory.objects.filter(product__name__in=shown[:10])
    gone.update(reserved_units=F("total_units"))
    Inventory.objects.filter(pk__in=[row.pk for row in back]).update(total_units=1)
    address = first.context["next_url"]
    while address:
        more = client.get(address, headers={**HTMX, "HX-Target": "load-more"})
        shown += names(more)
        address = more.context["next_url"]
    assert len(shown) == len(set(shown))
    assert {name for name in shown if name.startswith("Vase")} == {
        f"Vase-{n:02}" for n in range(60)
    }


def test_the_address_of_an_extended_list_shows_it_to_the_same_product(client) -> None:
    shelf(*(f"vase-{n:02}" for n in range(60)))
    address = client.get("/?in_stock=1").context["next_url"]
    Inventory.objects.filter(product__name__in=("Vase-00", "Vase-05")).update(
        reserved_units=F("total_units")
    )
    whole = client.get(address)
    assert names(whole) == [f"Vase-{n:02}" for n in range(42) if n not in {0, 5}]
    assert whole.content.decode().count('id="page-2"') == 1
    assert whole.context["page"].start == 19


def test_a_late_part_of_a_long_list_is_shown_alone(client, monkeypatch) -> None:
    monkeypatch.setattr(paging, "MOST_PARTS", 1)
    shelf(*(f"vase-{n:02}" for n in range(60)))
    following = client.get("/?page=2").context["next_url"]
    assert names(client.get("/?page=2")) == [f"Vase-{n:02}" for n in range(21, 42)]
    alone = client.get(following)
    assert names(alone) == [f"Vase-{n:02}" for n in range(42, 60)]
    assert 'href="/"' in alone.content.decode()


@pytest.mark.parametrize(
    ("price", "found"),
    [("-2000", ["Cup"]), ("2000-5000", ["Jug", "Vase"]), ("5000-", ["Urn"]), ("", None)],
)
def test_a_price_selects_what_costs_so_much(client, price, found) -> None:
    prices = {"cup": 199_999, "jug": 200_000, "urn": 500_000, "vase": 499_999}
    shelf(*prices)
    for slug, paise in prices.items():
        Product.objects.filter(slug=slug).update(price_paise=paise)
    page = client.get("/", {"price": price, "sort": "name"})
    assert names(page) == (found or ["Cup", "Jug", "Urn", "Vase"])
    chosen = [choice.value for choice in page.context["facets"]["price"] if choice.is_set]
    assert chosen == ([price] if price else [])


@pytest.mark.parametrize(
    "query", ["q='", "q=%25_", "q=%5C", "q=" + "x " * 49, "other=1", "q=%F0%9F"]
)
def test_odd_searches_find_nothing_without_an_error(client, query) -> None:
    shelf("oak")
    assert client.get(f"/?{query}").status_code == 200


@pytest.mark.parametrize(
    ("units", "held", "words"),
    [
        (9, 0, "9 of 9 left"),
        (6, 1, "5 of 6 left"),
        (1, 0, "1 of 1 left"),
        (0, 0, "Coming"),
        (1, 1, "All held – next may free up"),
    ],
)
def test_a_card_shows_the_stock_in_each_state(client, units, held, words) -> None:
    row = stocked(units)
    if held:
        services.reserve(product_id=row.product_id, quantity=held, holder=Holder("session:a"))
    assert words in client.get("/").content.decode()


def test_what_was_sold_is_of_the_run_and_what_was_damaged_is_not(client) -> None:
    row = stocked(7)
    held = services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:a"))
    services.confirm(reservation_id=held.pk)
    apply(adjustments=[Adjustment(row.pk, -2, StockMovement.Reason.DAMAGED, "Dropped")])
    assert "4 of 5 left" in client.get("/").content.decode()
    apply(adjustments=[Adjustment(row.pk, -4, StockMovement.Reason.LOST, "Gone")])
    assert "Sold out" in client.get("/").content.decode()


def test_a_hold_past_its_time_may_free_up_any_moment(client) -> None:
    row = stocked(1)
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:a"))
    pass_time(601)
    assert "next may free up any moment now" in client.get("/").content.decode()


def test_markup_in_staffs_texts_is_escaped(client) -> None:
    stocked(1)
    evil = '"><img src=x onerror=alert(1)>'
    Product.objects.update(name=evil, alt=evil, tagline=evil, description=evil, material=evil)
    Category.objects.update(name=evil)
    for address in ("/", "/p/tidal/", "/p/tidal/reserve/", f"/?q={evil}", "/?q=onerrro"):
        body = client.get(address).content.decode()
        assert "<img src=x" not in body
        assert "&lt;img src=x" in body
