"""Old addresses of products and categories redirect after a rename."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from catalog import seeding
from catalog.models import Category, CategorySlug, Product, ProductSlug
from inventory.models import Inventory
from reservations.models import Reservation
from tests.shopping import HTMX, press_reserve
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def rename(row: Inventory, slug: str) -> None:
    """In SQL, without any form."""
    Product.objects.filter(pk=row.product_id).update(slug=slug)


@pytest.fixture
def row() -> Inventory:
    """A product whose slug was tidal, then ebb, and is now flow."""
    row = stocked(5)
    rename(row, "ebb")
    rename(row, "flow")
    return row


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("old", ["tidal", "ebb"])
@pytest.mark.parametrize(
    ("address", "query"),
    [("/p/{}/", "?ref=mail"), ("/p/{}/reserve/", "?quantity=2&warehouse=blr-01"),
     ("/p/{}/stock/", ""), ("/api/products/{}", "")],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_old_address_redirects_permanently_to_the_new_one(
    client, old, address, query, headers
) -> None:
    response = client.get(address.format(old) + query, headers=headers)
    assert response.status_code == 301
    assert response.headers["Location"] == address.format("flow") + query
    assert client.get(response.headers["Location"], headers=headers).status_code == 200


def test_a_redirect_is_not_kept_since_a_slug_may_come_back(client, row) -> None:
    for address in ("/p/ebb/", "/p/ebb/reserve/", "/p/ebb/stock/"):
        assert "no-" in client.get(address).headers["Cache-Control"]
    rename(row, "tidal")
    assert client.get("/p/tidal/").status_code == 200
    assert client.get("/p/flow/").headers["Location"] == "/p/tidal/"


def test_a_form_opened_before_a_rename_is_accepted(client) -> None:
    row = stocked(5)
    opened = stocked(1, warehouse="del-01")
    client.get("/p/tidal/reserve/")
    rename(row, "flow")
    opened.product.slug = "tidal"
    assert press_reserve(client, opened, 1).status_code == 303
    assert Reservation.objects.get().inventory == opened
    refused = press_reserve(client, opened, 0, headers=HTMX)
    assert refused.status_code == 422
    assert 'action="/p/flow/reserve/"' in refused.content.decode()


@pytest.mark.usefixtures("row")
def test_programs_reserve_by_an_old_slug_and_read_the_new_one(client) -> None:
    body = {"product": "tidal", "quantity": 2}
    held = client.post("/api/reservations", body, "application/json")
    assert (held.status_code, held.json()["product"]) == (201, "flow")


def test_old_slugs_of_unpublished_products_do_not_redirect(client, admin_client, row) -> None:
    Product.objects.update(published_at=None)
    for address in ("/p/ebb/", "/p/ebb/reserve/", "/p/ebb/stock/", "/api/products/ebb"):
        assert client.get(address).status_code == 404
    preview = admin_client.get("/p/ebb/?preview")
    assert (preview.status_code, preview.headers["Location"]) == (301, "/p/flow/?preview")


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("value", ["0", "false", "no", "maybe"])
def test_preview_set_to_false_shows_no_preview(admin_client, value) -> None:
    Product.objects.update(published_at=None)
    assert admin_client.get("/p/flow/?preview=1").status_code == 200
    assert admin_client.get(f"/p/flow/?preview={value}").status_code == 404


@pytest.mark.usefixtures("row")
def test_no_other_product_gets_a_slug_that_was_used() -> None:
    other = stocked(1, product="oak")
    with (
        pytest.raises(IntegrityError, match="slug_is_of_one_product_for_ever"),
        transaction.atomic(),
    ):
        rename(other, "ebb")
    with pytest.raises(IntegrityError, match="slug_is_of_one_product"), transaction.atomic():
        stocked(1, product="tidal", warehouse="del-01")


def test_staff_read_which_product_has_the_slug(admin_client, row) -> None:
    other = stocked(1, product="oak")
    address = f"/admin/catalog/product/{other.product_id}/change/"
    form: dict[str, Any] = admin_client.get(address).context["adminform"].form.initial
    typed = {name: value for name, value in form.items() if value is not None and name != "image"}
    response = admin_client.post(address, {**typed, "slug": "ebb"})
    assert "This was the slug of “Tidal”" in response.context["errors"].as_text()
    assert Product.objects.get(pk=other.product_id).slug == "oak"


def rename_category(slug: str, **which: Any) -> None:
    Category.objects.filter(**which).update(slug=slug)


@pytest.fixture
def _category() -> None:
    """The category's slug was vases, then jars, and is now pots."""
    stocked(5)
    rename_category("jars")
    rename_category("pots")


@pytest.mark.usefixtures("_category")
@pytest.mark.parametrize("old", ["vases", "jars"])
@pytest.mark.parametrize(
    ("address", "query"),
    [("/", "category={}"), ("/", "q=a+b&category={}&in_stock=1"), ("/api/products", "category={}")],
)
@pytest.mark.parametrize("headers", [{}, HTMX, {**HTMX, "HX-Target": "results"}])
def test_an_old_address_of_a_category_redirects_permanently_to_the_new_one(
    client, old, address, query, headers
) -> None:
    response = client.get(f"{address}?{query.format(old)}", headers=headers)
    assert response.status_code == 301
    assert response.headers["Location"] == f"{address}?{query.format('pots')}"
    assert client.get(response.headers["Location"], headers=headers).status_code == 200


@pytest.mark.usefixtures("_category")
def test_a_list_that_never_was_is_not_found(client) -> None:
    for query in ("category=pans", "category=%00", "category=vases%00", "category=pots&page=x"):
        assert client.get(f"/?{query}").status_code == 404
        assert client.get(f"/api/products?{query}").status_code in {404, 422}
    gone = client.get("/?category=jars")
    assert "no-" in gone.headers["Cache-Control"]
    rename_category("jars")
    assert client.get("/?category=jars").status_code == 200
    assert client.get("/?category=pots").headers["Location"] == "/?category=jars"


@pytest.mark.usefixtures("_category")
def test_no_other_category_gets_a_slug_that_was_used(admin_client) -> None:
    other = Category.objects.create(name="Pans", slug="pans")
    with (
        pytest.raises(IntegrityError, match="slug_is_of_one_category_for_ever"),
        transaction.atomic(),
    ):
        rename_category("vases", pk=other.pk)
    address = f"/admin/catalog/category/{other.pk}/change/"
    form = admin_client.get(address).context["adminform"].form.initial
    response = admin_client.post(address, {**form, "slug": "vases"})
    assert "This was the slug of “Vases”" in response.context["errors"].as_text()
    assert Category.objects.get(pk=other.pk).slug == "pans"
    other.delete()
    assert set(CategorySlug.objects.values_list("slug", flat=True)) == {"vases", "jars", "pots"}
    connection.check_constraints()


@pytest.mark.usefixtures("_category")
def test_a_renamed_category_is_not_seeded_again() -> None:
    Category.objects.update(name="Pots")
    items = seeding.missing(seeding.read())
    seeding.plant([item for item in items if item.category == "Vases"][:1])
    assert [category.name for category in Category.objects.all()] == ["Pots"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog_productslug SET slug = 'x'", "DELETE FROM catalog_productslug",
        "UPDATE catalog_categoryslug SET slug = 'x'", "DELETE FROM catalog_categoryslug",
    ],
)  # fmt: skip
def test_a_slug_that_was_used_is_never_forgotten(row, statement) -> None:
    with (
        pytest.raises(ProgrammingError, match="Cannot"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert set(ProductSlug.objects.values_list("slug", flat=True)) == {"tidal", "ebb", "flow"}
    assert CategorySlug.objects.get().slug == "vases"


def test_slugs_are_deleted_with_a_product_without_history() -> None:
    product = stocked(0).product
    Inventory.objects.all().delete()
    product.delete()
    assert not ProductSlug.objects.exists()
    connection.check_constraints()


@pytest.mark.usefixtures("row")
def test_a_renamed_product_is_not_seeded_again() -> None:
    items = [item for item in seeding.read() if item.slug in {"tidal", "ebb"}]
    assert seeding.missing(items) == []
