"""Orders on the front page, the sales of some days, and money that does not settle."""

import csv
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from allo.web import address
from catalog.models import Product
from checkout.models import Charge, Order, Refund
from checkout.orders.cancelling import cancel
from checkout.unsettled import Unsettled, unsettled
from inventory.staff import filters
from tests.checkout.orders import brought, charged, opened, refund
from tests.reservations.test_verbs import hold
from tests.staff.people import signed_in
from tests.stock import reprice, stocked

pytestmark = pytest.mark.django_db

# In paise, of one unit: two are more than PostgreSQL's integer holds.
DEAREST = 2_000_000_000
SALES = "/admin/checkout/order/sales/"


@pytest.fixture
def viewer() -> Client:
    return signed_in("Viewer")


def sold(product: str, warehouse: str = "blr-01", units: int = 1, state: str = "paid") -> Order:
    row = stocked(9, product=product, warehouse=warehouse)
    return brought(opened(hold(row, units)), state)


@pytest.fixture
def day() -> dict[str, Order]:
    return {
        "vase": sold("vase", units=2),
        "bowl": sold("bowl", state="packed"),
        "there": sold("vase", "del-01", state="delivered"),
        "cancelled": sold("jug", state="cancelled"),
        "unpaid": sold("cup", state="placed"),
    }


def test_the_front_page_says_what_is_to_be_done_and_what_was_sold(viewer, day) -> None:
    page = viewer.get("/admin/")
    to_do, today = page.context["orders"], page.context["sold"]
    assert (to_do["pack"], to_do["send"]) == (1, 1)
    assert to_do["oldest_to_pack"] == day["vase"].paid_at
    assert (today["units"], today["paise"], today["all"]) == (4, 4 * 385_000, 3)
    rows = [(row.product, row.warehouse, row.units, row.paise) for row in today["rows"]]
    assert rows == [
        ("Vase", "blr-01", 2, 770_000), ("Bowl", "blr-01", 1, 385_000),
        ("Vase", "del-01", 1, 385_000),
    ]  # fmt: skip
    packer = signed_in("Packer").get("/admin/")
    assert packer.context["orders"] == to_do
    assert "unsettled" not in packer.context


def test_lines_of_any_worth_are_summed_up(viewer) -> None:
    row = stocked(9, product="vase")
    reprice(row, DEAREST, "Vase")
    brought(opened(hold(row, 2)), "paid")
    hold(row, 2)
    page = viewer.get("/admin/")
    assert page.context["sold"]["paise"] == page.context["held"]["paise"] == 2 * DEAREST


def test_sales_are_of_days_a_product_and_a_warehouse(viewer, day, monkeypatch) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)

    def units(**query: object) -> int:
        response = viewer.get(SALES, query)
        assert response.status_code == 200
        return int(response.context["units"])

    assert units() == 4
    assert units(product="vase") == 3
    assert units(product="vase", warehouse="del-01") == 1
    assert units(product="nothing") == units(first=yesterday, last=yesterday) == 0
    assert units(first=yesterday) == 4
    # Of however many rows of stock.
    monkeypatch.setattr(filters, "VALUES_AT_MOST", 1)
    assert units(product="vase") == 3


@pytest.mark.parametrize(
    "query",
    [
        {"first": "x"}, {"last": ""}, {"first": "2026-02-30"}, {"warehouse": "nowhere"},
        {"first": "2020-01-01"}, {"first": "2026-01-02", "last": "2026-01-01"},
        {"first": "0001-01-01", "last": "0001-01-01"}, {"product": "x" * 200},
        {"first": "9999-12-31", "last": "9999-12-31"},
    ],
)  # fmt: skip
def test_wrong_days_are_refused_and_said(viewer, query) -> None:
    for page in (SALES, f"{SALES}csv/"):
        response = viewer.get(page, query)
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()


def test_sales_are_exported_without_formulas(viewer) -> None:
    brought(opened(hold(stocked(9, product="vase")), shipping=9_900), "paid")
    Product.objects.update(name="=cmd()")
    response = viewer.get(f"{SALES}csv/")
    lines = list(csv.reader(b"".join(response).decode("utf-8-sig").splitlines()))
    assert lines == [
        ["product", "name", "warehouse", "units", "amount (₹)", "GST in it (₹)"],
        ["vase", "'=cmd()", "blr-01", "1", "3850.00", "587.29"],
        ["", "Shipping", "", "0", "99.00", "15.10"],
    ]
    whole, part = (viewer.get(SALES, query).context for query in ({}, {"product": "vase"}))
    assert (whole["paise"], whole["gst_paise"]) == (394_900, 60_239)
    assert (part["paise"], part["gst_paise"]) == (385_000, 58_729)


# --- money --------------------------------------------------------------------------------------


def test_money_that_does_not_settle_is_on_the_front_page_and_in_readyz(
    viewer, client, monkeypatch
) -> None:
    address._met_unknown.clear()
    charge = sold("vase").charges.get()
    back = refund(charge, 100)
    before = client.get("/readyz").json()["warnings"]
    assert (unsettled().late, "Money" in str(before)) == (0, False)
    assert "all is where it belongs" in viewer.get("/admin/").content.decode()
    monkeypatch.setattr("checkout.unsettled.LATE", timedelta())
    found = unsettled()
    assert found == Unsettled(charges=1, asked=1, failed=0, disputed=0, wrong=0)
    report = client.get("/readyz")
    assert report.status_code == 200
    (warning,) = [news for news in report.json()["warnings"] if news not in before]
    assert warning.startswith("Money has not settled within 15 minutes: charges 1, refunds 1. ")
    Charge.objects.update(settled_at=Now(), disputed_at=Now())
    Refund.objects.filter(pk=back.pk).update(state="failed")
    found = unsettled()
    assert found == Unsettled(charges=0, asked=0, failed=1, disputed=1, wrong=0)
    page = viewer.get("/admin/").content.decode()
    assert "1 refund failed, 1 disputed, 0 in another amount or currency" in page
    assert "/admin/checkout/refund/?state=failed" in page
    refund(charge, 100)
    assert unsettled().failed == 0


def test_a_refund_that_failed_is_shown_until_its_own_money_is_back() -> None:
    part, line = sold("vase", units=2), sold("bowl", units=2)
    of_line = refund(line.charges.get(), 100, line=line.order_lines.get(), units=1)
    of_part = refund(part.charges.get(), 100)
    refund(line.charges.get(), 100)
    Refund.objects.filter(pk__in=(of_part.pk, of_line.pk)).update(state="failed")
    # Another refund of the line's order, and one of another amount, are not those again.
    refund(part.charges.get(), 99)
    assert unsettled().failed == 2
    refund(line.charges.get(), 100, line=line.order_lines.get(), units=1)
    refund(part.charges.get(), 100)
    assert unsettled().failed == 0


def test_what_was_cancelled_is_shown_until_all_its_money_is_back() -> None:
    order = sold("vase")
    charge = order.charges.get()
    part = refund(charge, 100)
    cancel(order, reason="Broken")
    Refund.objects.filter(pk=part.pk).update(state="failed")
    assert unsettled().failed == 1
    refund(charge, 100)
    assert unsettled().failed == 0


def test_money_in_another_amount_or_currency_is_on_the_front_page(viewer) -> None:
    order = opened(hold(stocked(9)))
    charged(order, "give_back", fact="void")
    wrong = {
        charged(order, "give_back", fact="void", amount=order.total_paise - 1),
        charged(order, "give_back", fact="void", currency="USD"),
    }
    Charge.objects.update(settled_at=Now())
    assert unsettled() == Unsettled(charges=0, asked=0, failed=0, disputed=0, wrong=2)
    page = viewer.get("/admin/").content.decode()
    assert "2 in another amount or currency" in page
    assert "/admin/checkout/charge/?wrong=1" in page
    listed = viewer.get("/admin/checkout/charge/?wrong=1").context["cl"].result_list
    assert set(listed) == wrong
