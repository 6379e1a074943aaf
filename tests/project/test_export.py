"""Exports of the admin's lists, and the paging of long ones."""

import csv
from io import BytesIO, StringIO

import pytest
from django.contrib.auth.models import User
from openpyxl import load_workbook

from allo.admin_kit import base as admin
from allo.admin_kit import export
from inventory.models import StockMovement
from inventory.staff import filters
from tests.checkout.orders import brought, opened
from tests.reservations.test_verbs import hold
from tests.stock import stocked
from tests.stock_room import receive

pytestmark = pytest.mark.django_db

LEDGER, ORDERS = "/admin/inventory/stockmovement/", "/admin/checkout/order/"


def lines(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


@pytest.fixture
def _seven_movements(monkeypatch) -> None:
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 2)
    here, there = stocked(1), stocked(1, warehouse="del-01")
    for n in range(5):
        receive(inventory_id=(here if n < 3 else there).pk, units=n + 1, note=f"Delivery {n}")


@pytest.mark.usefixtures("_seven_movements")
@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ({}, "1112345"),
        ({"reason__exact": "received"}, "12345"),
        ({"reason__in": "received", "o": "-2", "p": "9", "all": ""}, "12345"),
        ({"q": "tidal"}, "1112345"),
        ({"q": "nothing"}, ""),
    ],
)
def test_a_file_has_every_row_of_the_filtered_list(admin_client, query, changes) -> None:
    response = admin_client.get(f"{LEDGER}export/csv/", query)
    assert "".join(row["change"] for row in lines(response)) == changes
    assert "attachment" in response["Content-Disposition"]


@pytest.mark.usefixtures("_seven_movements")
@pytest.mark.parametrize("filtered_by", ["q", "product"])
def test_a_file_has_the_lines_of_however_many_rows_of_stock(
    admin_client, filtered_by, monkeypatch
) -> None:
    monkeypatch.setattr(filters, "VALUES_AT_MOST", 1)
    response = admin_client.get(f"{LEDGER}export/csv/", {filtered_by: "tidal"})
    assert "".join(row["change"] for row in lines(response)) == "1112345"


@pytest.mark.usefixtures("_seven_movements")
def test_an_export_is_queried_in_pages(admin_client, django_assert_num_queries) -> None:
    response = admin_client.get(f"{LEDGER}export/csv/")
    with django_assert_num_queries(4):
        assert len(lines(response)) == 7


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"])
def test_nothing_in_a_file_is_a_formula(admin_client, note) -> None:
    receive(inventory_id=stocked(0).pk, units=3, note=note)
    [row] = lines(admin_client.get(f"{LEDGER}export/csv/"))
    assert row["note"] == f"'{note}"
    assert row["change"] == "3"


def test_a_sheet_has_numbers_and_texts_and_no_formulas(admin_client) -> None:
    receive(inventory_id=stocked(0).pk, units=3, note="=HYPERLINK(1)\x01\ufffe\uffff")
    response = admin_client.get(f"{LEDGER}export/xlsx/")
    book = load_workbook(BytesIO(b"".join(response.streaming_content)))
    (names, values) = book.worksheets[0].values
    row = dict(zip(names, values, strict=True))
    assert (row["change"], row["note"]) == (3, "'=HYPERLINK(1)")
    assert [c.data_type for c in book.worksheets[0][2]].count("f") == 0


def test_amounts_are_numbers_in_a_sheet_as_well_as_in_a_file(admin_client) -> None:
    brought(opened(hold(stocked(5)), shipping=9_900), "paid")
    amounts = {
        "total (₹)": "3949.00", "shipping (₹)": "99.00", "GST in the total (₹)": "602.39",
        "GST in the shipping (₹)": "15.10", "refunded (₹)": "0.00",
    }  # fmt: skip
    [row] = lines(admin_client.get(f"{ORDERS}export/csv/"))
    assert {name: text for name, text in row.items() if "₹" in name} == amounts
    response = admin_client.get(f"{ORDERS}export/xlsx/")
    sheet = load_workbook(BytesIO(b"".join(response.streaming_content))).worksheets[0]
    cells = {name.value: cell for name, cell in zip(*sheet, strict=True)}
    assert {cells[name].data_type for name in amounts} == {"n"}
    assert {name: f"{cells[name].value:.2f}" for name in amounts} == amounts


def test_a_sheet_that_would_be_too_long_is_refused(admin_client, monkeypatch) -> None:
    monkeypatch.setattr(export, "XLSX_AT_MOST", 1)
    stocked(1)
    stocked(2, product="other")
    response = admin_client.get(f"{LEDGER}export/xlsx/?reason__exact=opening", follow=True)
    assert b"too many for one sheet" in response.content
    assert response.redirect_chain[0][0] == f"{LEDGER}?reason__exact=opening"


def test_an_export_needs_the_permission_to_view_the_list(client) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(f"{LEDGER}export/csv/").status_code == 403


def test_an_invalid_filter_shows_the_list(admin_client) -> None:
    response = admin_client.get(f"{LEDGER}export/csv/?nonsense=x")
    assert response.status_code == 302


@pytest.fixture
def long_list(monkeypatch) -> list[int]:
    """Seven movements, with the limits lowered: counted up to four, deep from two on."""
    monkeypatch.setattr(admin, "COUNTED", 4)
    monkeypatch.setattr(admin, "DEEP", 2)
    row = stocked(1)
    for n in range(6):
        receive(inventory_id=row.pk, units=n + 1)
    return list(StockMovement.objects.values_list("pk", flat=True))


def test_a_long_list_is_estimated_whole_and_not_counted_when_filtered(long_list) -> None:
    whole = admin.QuickPaginator(StockMovement.objects.all(), 2)
    assert str(whole.count).startswith("about ")
    filtered = admin.QuickPaginator(StockMovement.objects.filter(reason="received"), 2)
    assert (str(filtered.count), filtered.num_pages) == ("4+", 2)
    few = admin.QuickPaginator(StockMovement.objects.filter(delta__gt=4), 2)
    assert str(few.count) == "2"


def test_deep_pages_have_the_right_rows(long_list, django_assert_num_queries) -> None:
    paginator = admin.QuickPaginator(StockMovement.objects.all(), 2)
    with django_assert_num_queries(4):
        page = [row.pk for row in paginator.page(2)]
    assert page == long_list[2:4]
