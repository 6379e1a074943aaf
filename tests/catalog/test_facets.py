"""What a list can be filtered by, and how many products each choice would show."""

from itertools import chain
from typing import Any

import pytest
from django.db import IntegrityError

from catalog.choices import MATERIALS
from catalog.models import Category, Product
from reservations.shop import facets
from tests.shopping import HTMX
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def piece(slug: str, units: int = 3, **words: Any) -> None:
    stocked(units, product=slug)
    Product.objects.filter(slug=slug).update(**words)


@pytest.fixture
def shelf() -> None:
    bowls = Category.objects.create(name="Bowls", slug="bowls", position=9)
    piece("jug", material="Blue glass", colour="blue", price_paise=100_000)
    piece("vase", 0, material="Glass, brass", colour="clear", price_paise=300_000)
    piece("cup", material="Black stoneware", colour="black", price_paise=300_000, category=bowls)
    piece("urn", material="Bidri", price_paise=600_000, category=bowls)
    piece("draft", material="Glass", colour="blue", published_at=None)


def shown(page: Any) -> list[str]:
    return sorted(product.slug for product in page.context["shown"])


def counts(page: Any) -> dict[str, int]:
    """Of the choices that can be pressed."""
    each = chain(page.context["categories"], *page.context["facets"].values())
    return {f"{one.name}={one.value}": one.products for one in each if not one.is_empty}


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("material=glass", ["jug", "vase"]),
        ("material=brass", ["vase"]),
        ("material=glass&colour=blue", ["jug"]),
        ("material=leather", []),
        ("colour=black&price=2000-5000&category=bowls&in_stock=1", ["cup"]),
        ("price=2000-5000&in_stock=1", ["cup"]),
        ("material=ceramic&material=brass", ["cup", "vase"]),
        ("material=ceramic&material=glass&colour=black&colour=blue", ["cup", "jug"]),
        ("colour=clear&colour=clear&colour=", ["vase"]),
    ],
)
def test_page_and_api_filter_alike(client, query, found) -> None:
    assert shown(client.get(f"/?{query}")) == found
    results = client.get(f"/api/products?{query}").json()["results"]
    assert sorted(result["slug"] for result in results) == found


@pytest.mark.usefixtures("shelf")
def test_each_choice_says_how_many_products_it_would_show(client) -> None:
    """Alone in its filter, while the other filters stay."""
    for query in (
        "", "category=bowls&in_stock=1", "q=glass&price=2000-5000",
        "colour=blue&colour=black&material=glass",
    ):  # fmt: skip
        page = client.get(f"/?{query}")
        expected = {}
        for choice in counts(page):
            others = [
                pair for pair in query.split("&") if not pair.startswith(choice.partition("=")[0])
            ]
            expected[choice] = len(shown(client.get(f"/?{'&'.join([*others, choice])}")))
        assert counts(page) == expected, query


@pytest.mark.usefixtures("shelf")
def test_what_would_show_nothing_cannot_be_chosen_unless_it_is_set(client) -> None:
    page = client.get("/?colour=blue&category=bowls")
    assert (page.context["total"], shown(page)) == (0, [])
    assert counts(page) == {
        "category=": 1,
        "category=bowls": 0,
        "category=vases": 1,
        "colour=blue": 0,
        "colour=black": 1,
    }
    body = page.content.decode()
    assert '<input type="checkbox" name="colour" value="clear"  disabled>' in body
    assert '<input type="checkbox" name="in_stock" value="1"  disabled>' in body


@pytest.mark.usefixtures("shelf")
def test_too_many_products_are_not_counted(client, monkeypatch) -> None:
    monkeypatch.setattr(facets, "MOST_COUNTED", 2)
    page = client.get("/?colour=blue")
    assert set(counts(page).values()) == {None}
    assert (page.context["total"], shown(page)) == (1, ["jug"])
    assert client.get("/").context["total"] == 3
    body = page.content.decode()
    assert '<input type="checkbox" name="colour" value="clear"  >' in body
    assert "data-counts" not in body


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("Black stoneware, brass", ["brass", "ceramic"]),
        ("OAK & hand-blown glass", ["glass", "wood"]),
        ("Stainless steel", ["steel"]),
        ("Stone, bone china", ["porcelain", "stone"]),
        ("Bidri, irony, glassy", []),
        ("", []),
    ],
)
def test_materials_are_read_from_words(words, kinds) -> None:
    piece("jug", material=words)
    assert Product.objects.get().materials == kinds


def test_every_material_is_read_from_each_of_its_own_names() -> None:
    piece("jug")
    for kind, label in MATERIALS.items():
        for name in label.replace(" and ", ", ").split(", "):
            Product.objects.update(material=name)
            assert Product.objects.get().materials == [kind]


def test_a_colour_is_one_of_the_choices_and_is_searched(client) -> None:
    piece("jug", name="Jug")
    Product.objects.update(colour="terracotta")
    assert shown(client.get("/?q=terracota")) == ["jug"]
    with pytest.raises(IntegrityError, match="colour_known"):
        Product.objects.update(colour="Blue")


@pytest.mark.usefixtures("shelf")
def test_several_choices_have_one_address(client) -> None:
    query = "colour=white&material=glass&colour=blue&colour=white&material="
    page = client.get(f"/?{query}", headers={**HTMX, "HX-Target": "results"})
    assert page.headers["HX-Push-Url"] == "/?material=glass&colour=blue&colour=white"
    both = client.get(f"/?{query}").content.decode()
    assert '<span class="facet-chosen"><bdi>White</bdi><bdi>Blue</bdi></span>' in both


@pytest.mark.parametrize(
    "query", ["material=bidri", "colour=BLUE", "price=1", "colour=%00", "colour=blue&colour=x"]
)
def test_an_unknown_choice_is_404_for_people_and_422_for_programs(client, query) -> None:
    assert client.get(f"/?{query}").status_code == 404
    assert client.get(f"/api/products?{query}").status_code == 422
