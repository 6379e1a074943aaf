"""A search finds what was meant, the best first, wherever products are searched."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.template.autoreload import reset_loaders
from django.utils import timezone

from allo.postgresql import timeouts
from catalog import search
from catalog.forms import SORTS, GridForm
from catalog.models import Category, Product, SearchText
from reservations.shop import facets
from tests.catalog.test_grid import names
from tests.server import rows_read
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def product(slug: str, **words: Any) -> Product:
    item = stocked(3, product=slug).product
    for name, value in words.items():
        setattr(item, name, value)
    item.save()
    return item


@pytest.fixture
def shop() -> None:
    lamps = Category.objects.create(name="Lamps", slug="lamps")
    cups = Category.objects.create(name="Cups", slug="cups")
    product(
        "cafe-cup",
        name="Café",
        category=cups,
        tagline="For one espresso",
        description="A broad-shouldered cup",
    )
    product("ember", name="Ember", category=lamps, tagline="", material="Brass, linen")
    product("ochre", name="Ochre", tagline="A red lamp", category=lamps)
    product("tidal", name="Tidal", tagline="A vase with a waterline", material="Stoneware")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("café", ["Café"]), ("cafe", ["Café"]), ("cafe\u0301", ["Café"]), ("CAFÉ", ["Café"]),
        ("ｃａｆｅ", ["Café"]), ("ca\u200bfé", ["Café"]), ("cafe-cup", ["Café"]),
        ("lamp!", ["Ember", "Ochre"]), ("lamp", ["Ember", "Ochre"]), ("lmap", ["Ember", "Ochre"]),
        ("lampp", ["Ember", "Ochre"]), ("lapm red", ["Ochre"]),
        ("red", ["Ochre"]), ("shoulder", ["Café"]), ("shouldered", ["Café"]),
        ("stone", ["Tidal"]), ("stonewear", ["Tidal"]), ("epsresso", ["Café"]),
        ("brass lamps", ["Ember"]), ("tide", []), ("waterlines", ["Tidal"]), ("ware", []),
        ("%", []), ("ember tidal", []), ("zzz", []),
    ],
)  # fmt: skip
def test_page_api_and_admin_find_the_same(client, admin_client, q, found) -> None:
    assert sorted(names(client.get("/", {"q": q}))) == found
    results = client.get("/api/products", {"q": q}).json()["results"]
    assert sorted(result["name"] for result in results) == found
    listed = admin_client.get("/admin/catalog/product/", {"q": q}).context["cl"].result_list
    assert sorted(row.name for row in listed) == found


@pytest.mark.parametrize("q", ["café", "cafe", "cafe\u0301", "CAFÉ", "ｃａｆé"])
def test_accents_and_forms_of_letters_are_no_mistakes(client, q) -> None:
    product("cup", name="Café")
    page = client.get("/", {"q": q})
    assert (names(page), page.context["others"]) == (["Café"], [])


def test_the_name_comes_before_material_and_that_before_the_description(client) -> None:
    product("a", name="A", description="Nothing but oak and oak, and oak again: oak")
    product("b", name="B", tagline="Made of oak")
    product("c", name="Oaken")
    product("d", name="Oak")
    assert names(client.get("/?q=oak")) == ["Oak", "Oaken", "B", "A"]
    assert names(client.get("/?q=oak&sort=name")) == ["A", "B", "Oak", "Oaken"]


@pytest.mark.usefixtures("shop")
def test_the_corrected_search_is_named_and_linked_and_shown(client) -> None:
    page = client.get("/?q=vaze&in_stock=1")
    assert names(page) == ["Tidal"]
    assert page.context["others"] == [("vase", "/?q=vase&in_stock=1")]
    body = page.content.decode()
    assert 'Did you mean <a href="/?q=vase&amp;in_stock=1">vase</a>?' in body
    assert client.get("/?q=vase").context["others"] == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("q", "suggested"),
    [("ember tidal", ["ember", "tidal"]), ("stoneless", ["stoneware"]), ("zzzzz", [])],
)
def test_when_nothing_is_found_other_searches_are_offered(client, q, suggested) -> None:
    page = client.get("/", {"q": q})
    assert names(page) == []
    assert [words for words, _ in page.context["others"]] == suggested
    assert ("Did you mean" in page.content.decode()) is bool(suggested)
    for _, address in page.context["others"]:
        assert names(client.get(address)) != []


def test_a_product_that_is_not_out_yet_is_not_given_away(client, admin_client) -> None:
    product("nimbus", name="Nimbus", published_at=None)
    product("oak", name="Oak")
    both = client.get("/", {"q": "nimbus oak"})
    assert both.context["others"] == [("oak", "/?q=oak")]
    for q in ("nimbus", "nimbos"):
        page = client.get("/", {"q": q})
        assert names(page) == []
        assert page.context["others"] == []
        admin = admin_client.get("/admin/catalog/product/", {"q": q})
        assert [row.name for row in admin.context["cl"].result_list] == ["Nimbus"]


def test_what_is_searched_follows_every_way_of_writing(client) -> None:
    item = product("tidal", name="Tidal", tagline="")
    Product.objects.filter(pk=item.pk).update(name="Ebb", slug="ebb")
    assert names(client.get("/?q=ebb")) == ["Ebb"]
    assert names(client.get("/?q=tidal")) == []
    Category.objects.update(name="Amphoras")
    assert names(client.get("/?q=amphora")) == ["Ebb"]
    assert names(client.get("/?q=vases")) == []
    other = Category.objects.create(name="Jugs", slug="jugs")
    Product.objects.update(category=other)
    assert names(client.get("/?q=jug")) == ["Ebb"]
    copies = [Product(**{**FIELDS, "slug": slug, "category": other}) for slug in ("one", "two")]
    Product.objects.bulk_create(copies)
    assert SearchText.objects.count() == 3
    Product.objects.filter(slug__in=("one", "two")).delete()
    assert SearchText.objects.count() == 1


FIELDS = {"name": "Copy", "tagline": "", "price_paise": 1, "image": "x", "width": 1, "height": 1}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("q", "offered"),
    [
        ("la", [("Lamps", "/?category=lamps")]), ("CAF", [("Café", "/p/cafe-cup/")]),
        ("cu", [("Cups", "/?category=cups")]), ("c", []), (" t ", []), ("", []),
        ("tidal vase", []), ("waterline", []), ("'&|!:*(", []), ("\\ %", []), ("nim", []),
    ],
)  # fmt: skip
def test_names_that_begin_with_what_is_typed_are_suggested(client, q, offered) -> None:
    product("nimbus", name="Nimbus", published_at=None)
    Category.objects.create(name="Empty", slug="empty")
    page = client.get("/suggestions/", {"q": q})
    its = [(one.name, one.address) for one in page.context["suggestions"]]
    assert its == offered
    assert page.content.decode().count("<li>") == len(offered)


def test_the_first_eight_are_suggested_those_that_begin_so_first(client) -> None:
    for n in range(9):
        product(f"tall-oak-{n}", name=f"Tall oak {n}", position=n)
    product("oak", name="Oak", position=99)
    names = [one.name for one in client.get("/suggestions/?q=OAK").context["suggestions"]]
    assert names == ["Oak", *(f"Tall oak {n}" for n in range(7))]
    markup = '"><img src=x>'
    Product.objects.update(name=markup)
    assert "<img" not in client.get("/suggestions/?q=img").content.decode()
    for bad in ("%00", "x" * 101):
        assert client.get(f"/suggestions/?q={bad}").status_code == 404


def test_any_text_can_be_searched_and_kept(client) -> None:
    odd = "' \\ : & | ! ( ) * <-> $$ %s {} \u202e 🏺 " + "w" * 700
    odd += " " + "क" * 700  # more bytes than a word of the index may have
    product("odd", name="x" * 80, description=odd)
    assert names(client.get("/?q=🏺")) == ["x" * 80]
    for letter in "wक":
        assert names(client.get("/", {"q": letter * 100})) == ["x" * 80]
    for q in ("'", "\\", "a:b", "a & | b", "((", "*", ":*", "<->", "it's", "%s", "{}", "--"):
        assert client.get("/", {"q": q}).status_code == 200


# Their words are written here: what a trigger does of 15,000 products one by one takes its time.
MANY = """
    SET CONSTRAINTS ALL IMMEDIATE;
    ALTER TABLE catalog_product DISABLE TRIGGER USER;
    WITH made AS (
        INSERT INTO catalog_product (slug, name, category_id, tagline, description, material,
            colour, dimensions_cm, price_paise, image, width, height, alt, dominant_hex, position,
            published_at)
        SELECT 'p-' || n, 'Piece ' || n, {category}, '', repeat('words ', 60),
            CASE WHEN n % 1000 = 0 THEN 'Oak' ELSE '' END,
            CASE WHEN n % 1000 < 2 THEN 'blue' ELSE '' END, '', 100, 'x', 1, 1, '', '#808080',
            n, now() FROM generate_series(1, 15000) AS n RETURNING id, position
    )
    INSERT INTO catalog_searchtext (product_id, words)
    SELECT id, format('piece:1A n%s:1A %s:3C', position % 2000,
        CASE WHEN position % 1000 = 0 THEN 'waterline' ELSE 'glaze' END)::tsvector FROM made;
    INSERT INTO catalog_searchword (word)
    SELECT word FROM ts_stat('SELECT words FROM catalog_searchtext') ON CONFLICT DO NOTHING;
    ALTER TABLE catalog_product ENABLE TRIGGER USER;
    ANALYZE catalog_product, catalog_searchtext, catalog_searchword
"""
READ = ("catalog_%", "inventory_%")


def test_a_search_of_many_products_reads_only_what_it_shows(client, monkeypatch) -> None:
    """A rare word, and one that every product has, in every order."""
    monkeypatch.setattr(search, "MOST_RANKED", 500)
    monkeypatch.setattr(facets, "MOST_COUNTED", 500)
    tidal = product("tidal", name="Tidal")
    # ANALYZE may meet autovacuum, which has the same lock of a table.
    timeouts.lift("lock_timeout")
    with connection.cursor() as cursor:
        cursor.execute(MANY.replace("{category}", str(tidal.category_id)))
    rare = ("?q=waterline", "?q=watrline", "?q=tidal", "?q=watrline tidal")
    everything = [f"?sort={sort}" for sort in SORTS]
    # Common words: the words of each product are read once, to count, and nothing of the rest.
    common = [*(f"?q=piece&sort={sort}" for sort in SORTS), "?q=peice", "?q=piece+glaze&page=7"]
    everything += ["?material=wood", "?colour=blue&price=-2000&sort=name"]
    for query in (*rare, *everything, *common):
        before = rows_read(*READ)
        page = client.get(f"/{query}")
        assert (len(page.context["shown"]) > 0) is (query != "?q=watrline tidal")
        assert rows_read(*READ) - before < (17_000 if query in common else 3000), query
    assert "Over 500 pieces" in page.content.decode()
    before = rows_read(*READ)
    client.get("/api/products?q=waterline")
    assert rows_read(*READ) - before < 800
    before = rows_read(*READ)
    assert len(client.get("/suggestions/?q=pi").context["suggestions"]) == 8
    assert rows_read(*READ) - before < 1000


@pytest.mark.parametrize(("most", "later", "first"), [(99, 10, "Oak 29"), (10, 99, "Elm 0")])
def test_more_of_a_list_comes_in_the_order_in_which_it_began(
    client, monkeypatch, most, later, first
) -> None:
    monkeypatch.setattr(search, "MOST_RANKED", most)
    category = Category.objects.create(name="Lamps", slug="lamps")
    Product.objects.bulk_create(
        Product(**{**FIELDS, "slug": f"p-{n}", "category": category, "position": n,
                   "published_at": timezone.now(), "tagline": "Of oak",
                   "name": f"Oak {n}" if n == 29 else f"Elm {n}"})
        for n in range(30)
    )  # fmt: skip
    page = client.get("/?q=oak")
    shown = names(page)
    assert shown[0] == first
    monkeypatch.setattr(search, "MOST_RANKED", later)
    more = client.get(page.context["next_url"], headers={"HX-Request": "true"})
    assert len({*shown, *names(more)}) == len(shown) + len(names(more)) == 30
    assert names(client.get(page.context["next_url"])) == [*shown, *names(more)]


@pytest.fixture
def rendered_anew() -> Iterator[None]:
    """What is rendered once in a process is forgotten, before and after."""
    reset_loaders()
    yield
    reset_loaders()


def test_every_search_field_takes_as_much_as_a_search_may_have(
    client, admin_client, monkeypatch, rendered_anew
) -> None:
    assert GridForm.base_fields["q"].max_length == search.LONGEST  # type: ignore[attr-defined]
    monkeypatch.setattr(search, "LONGEST", 7)
    fields = [client.get(page).content.decode() for page in ("/", "/docs/design/", "/nope/")]
    fields.append(admin_client.get("/admin/reservations/reservation/").content.decode())
    fields.append(admin_client.get("/admin/inventory/stockmovement/").content.decode())
    assert ['maxlength="7"' in page for page in fields] == [True] * 5
    assert [page for page in fields if 'maxlength="100"' in page] == []
