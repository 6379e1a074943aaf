"""After an action on rows of a list, staff return to that list with its filters and page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from catalog.models import Category, Product
from inventory.models import Inventory, StockImport, Warehouse
from inventory.staff.stock_admin import InventoryAdmin
from reservations.api import tokens
from tests.reservations.test_verbs import hold
from tests.staff.forms import sent
from tests.stock import stocked

pytestmark = pytest.mark.django_db

RESERVATIONS = "/admin/reservations/reservation/"
PRODUCTS = "/admin/catalog/product/"
STOCK = "/admin/inventory/inventory/"
TOKENS = "/admin/reservations/apitoken/"
IMPORTS = "/admin/inventory/stockimport/"
CATEGORIES = "/admin/catalog/category/"


def do(client: Client, question: str, **answer: Any) -> str:
    """Answers the question at this address; returns where that leads."""
    page = client.post(question, answer)
    assert page.status_code == 303, page.content.decode()
    return str(page.headers["Location"])


def apply_stock(client: Client, question: str) -> str:
    reference = client.get(question).context["form"]["reference"].value()
    answer = {"units": 2, "reference": reference, "note": "", "code": "", "step": "apply"}
    seen = client.post(question, {**answer, "step": "check"}).context["seen"]
    return do(client, question, **answer, seen=seen)


def token() -> Any:
    maker = User.objects.create_user("maker")
    limits: dict[str, Any] = {"rate": "10/s", "max_units": 5}
    return tokens.create(name="tills", scopes=["read"], created_by=maker, **limits)[0]


def withdrawn() -> Product:
    product = stocked(5).product
    product.published_at = None
    product.save()
    return product


ACTIONS: dict[str, tuple[str, str, Callable[[], Any], Callable[[Client, str], str]]] = {
    "release": (
        f"{RESERVATIONS}?inventory__warehouse__id__exact={{warehouse}}&state=live&p=1",
        "release", lambda: hold(stocked(5)), lambda c, q: do(c, q, id=ids(q), reason="A bot"),
    ),
    "extend": (
        f"{RESERVATIONS}?q=tidal&state=live",
        "extend", lambda: hold(stocked(5)),
        lambda c, q: do(c, q, id=ids(q), reason="Asked", minutes=5),
    ),
    "publish": (
        f"{PRODUCTS}?shown=no&o=-2&p=1",
        "publish", withdrawn, lambda c, q: do(c, q, id=ids(q)),
    ),
    "unpublish": (
        f"{PRODUCTS}?q=tidal&shown=yes",
        "unpublish", lambda: stocked(5).product, lambda c, q: do(c, q, id=ids(q)),
    ),
    "receive": (f"{STOCK}?o=3&q=tidal", "receive", lambda: stocked(5), apply_stock),
    "threshold": (f"{STOCK}?stock=low", "threshold", lambda: stocked(2), apply_stock),
    "revoke": (f"{TOKENS}?state=live&q=till", "revoke", token, lambda c, q: do(c, q, id=ids(q))),
}  # fmt: skip


def ids(question: str) -> list[str]:
    return parse_qs(urlsplit(question).query)["id"][0].split(",")


@pytest.fixture
def listed(admin_client, request) -> tuple[str, Any]:
    """The list of the action with its filters, and a row in it."""
    address, _, make, _ = ACTIONS[request.param]
    row = make()
    return address.format(warehouse=Warehouse.objects.values_list("pk", flat=True).first()), row


@pytest.mark.parametrize(("listed", "action"), [(a, a) for a in ACTIONS], indirect=["listed"])
def test_a_bulk_action_leads_back_to_the_list_with_filters_search_order_and_page(
    admin_client, listed, action
) -> None:
    address, row = listed
    _, verb, _, answer = ACTIONS[action]
    chosen = {"action": verb, "_selected_action": [row.pk]}
    question = admin_client.post(address, chosen).headers["Location"]
    cancel = f'href="{address}"'.replace("&", "&amp;")
    assert cancel in admin_client.get(question).content.decode()
    assert answer(admin_client, question) == address


@pytest.mark.parametrize(
    "listed", ["release", "extend", "receive", "threshold"], indirect=["listed"]
)
def test_each_button_of_a_row_knows_the_list_it_is_in(admin_client, listed) -> None:
    address, row = listed
    page = admin_client.get(address).content.decode()
    assert f"?id={row.pk}&amp;back={quote(address)}" in page


@pytest.mark.parametrize("listed", ["release"], indirect=True)
def test_from_a_rows_own_page_one_is_back_there_and_then_on_the_list(admin_client, listed) -> None:
    address, row = listed
    filters = quote(address.partition("?")[2])
    own = f"{RESERVATIONS}{row.pk}/change/?_changelist_filters={filters}"
    assert own.replace("&", "&amp;") in admin_client.get(address).content.decode()
    page = admin_client.get(own)
    _, question = page.context["verbs"][0]
    assert do(admin_client, question, id=row.pk, reason="A bot") == own
    in_list = f'href="{address}"'.replace("&", "&amp;")
    assert in_list in page.content.decode(), "the way to the list"
    assert in_list in admin_client.get(question).content.decode()


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example/",
        "//evil.example/admin/",
        "/",
        "javascript:alert(1)",
        "/admin",
        "x" * 99,
    ],
)
def test_an_address_leads_to_no_place_outside_the_admin(admin_client, there) -> None:
    row = stocked(5)
    question = f"{PRODUCTS}unpublish/?id={row.product_id}&back={quote(there)}"
    assert do(admin_client, question, id=row.product_id) == PRODUCTS


def test_filters_too_long_for_an_address_are_left_behind(admin_client) -> None:
    row = stocked(5)
    chosen = {"action": "unpublish", "_selected_action": [row.product_id]}
    asked = admin_client.post(f"{PRODUCTS}?q=tidal{'+' * 2000}", chosen).headers["Location"]
    assert asked == f"{PRODUCTS}unpublish/?id={row.product_id}"


def test_a_page_that_is_no_more_shows_the_last_with_the_same_filters(
    admin_client, monkeypatch
) -> None:
    monkeypatch.setattr(InventoryAdmin, "list_per_page", 1)
    for warehouse in ("blr-01", "del-01"):
        stocked(5, warehouse=warehouse)
    page = admin_client.get(f"{STOCK}?q=tidal&p=9")
    assert page.status_code == 200
    assert [row.product.name for row in page.context["cl"].result_list] == ["Tidal"]
    assert page.context["cl"].page_num == 9


def test_deleting_one_leads_back_to_the_list(admin_client) -> None:
    category = Category.objects.create(name="Bowls", slug="bowls")
    kept = quote("q=bowl&o=1", safe="")
    own = f"{CATEGORIES}{category.pk}/change/?_changelist_filters={kept}"
    delete = f"{CATEGORIES}{category.pk}/delete/?_changelist_filters={kept}"
    assert f'href="{delete}"' in admin_client.get(own).content.decode()
    assert f'href="{own}"' in admin_client.get(delete).content.decode()
    answer = admin_client.post(delete, {"post": "yes"})
    assert answer.headers["Location"] == f"{CATEGORIES}?q=bowl&o=1"


def test_deleting_many_leads_back_to_the_list_and_so_does_taking_it_back(admin_client) -> None:
    category = Category.objects.create(name="Bowls", slug="bowls")
    address = f"{CATEGORIES}?q=bowl&o=1"
    chosen = {"action": "delete_selected", "_selected_action": [category.pk]}
    question = admin_client.post(address, chosen).content.decode()
    assert question.count(f'href="{address}"'.replace("&", "&amp;")) == 2, "in the trail as well"
    answer = admin_client.post(address, {**chosen, "post": "yes"})
    assert answer.headers["Location"] == address
    assert not Category.objects.exists()


def test_a_saved_form_leads_back_to_the_list(admin_client) -> None:
    category = Category.objects.create(name="Bowls", slug="bowls")
    kept = quote("q=bowl&o=1", safe="")
    own = f"{CATEGORIES}{category.pk}/change/?_changelist_filters={kept}"
    page = admin_client.get(own)
    assert f'href="{CATEGORIES}?q=bowl&amp;o=1"' in page.content.decode()
    answer = admin_client.post(own, sent(page, "category_form", position=7))
    assert answer.headers["Location"] == f"{CATEGORIES}?q=bowl&o=1"


@pytest.mark.parametrize("address", [f"{STOCK}?q=tidal&o=3", f"{IMPORTS}?state=checked"])
def test_an_upload_that_is_cancelled_leads_back_to_the_list(admin_client, address) -> None:
    way = f"{IMPORTS}upload/?back={quote(address)}"
    assert f'href="{way}"' in admin_client.get(address).content.decode()
    cancel = f'class="closelink" href="{address}"'.replace("&", "&amp;")
    assert cancel in admin_client.get(way).content.decode()


def test_an_import_that_is_applied_still_leads_back_to_its_list(admin_client, admin_user) -> None:
    row: Inventory = stocked(5)
    kept = StockImport.objects.create(
        file_name="a.csv", state="checked", row_count=1, error_count=0, actor=admin_user
    )
    kept.stockimportrow_set.create(
        line=2, product="tidal", warehouse="blr-01", inventory=row, before=5, delta=1,
        reason="received", note="", error="",
    )  # fmt: skip
    filters = quote("state=checked", safe="")
    own = f"{IMPORTS}{kept.pk}/change/?_changelist_filters={filters}"
    apply = f"{IMPORTS}{kept.pk}/apply/?_changelist_filters={filters}"
    assert f'formaction="{apply}"' in admin_client.get(own).content.decode()
    assert admin_client.post(apply).headers["Location"] == own
    assert f'href="{IMPORTS}?state=checked"' in admin_client.get(own).content.decode()
    row.refresh_from_db()
    assert row.total_units == 6


def test_an_audit_that_is_started_leads_back_to_the_list(admin_client) -> None:
    run = "/admin/reservations/auditrun/run/?back=/admin/reservations/auditrun/%3Fp%3D2"
    assert do(admin_client, run) == "/admin/reservations/auditrun/?p=2"
