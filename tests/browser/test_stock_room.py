"""The stock room as its people use it: stock keeper, manager, viewer, and without JavaScript."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints, NewContext, SignIn
from tests.browser.shopping import NO_POLLS, Shelf, hold, units, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser

LIST = "/admin/inventory/inventory/"
# A worker has to take the file, and the page has to poll again.
READ_MS = 60_000


def find(page: Page, shelf: Shelf) -> None:
    """Opens the inventory row through the list's search and filter."""
    page.goto(LIST)
    page.get_by_role("searchbox").or_(page.locator("#searchbar")).first.fill(shelf.slug)
    page.locator("#changelist-search [type=submit]").click()
    row = page.get_by_role("row").filter(has_text=shelf.warehouse)
    row.get_by_role("link", name=shelf.product, exact=True).click()
    expect(page.get_by_role("heading", name="Last movements")).to_be_visible()


def press(page: Page, name: str) -> None:
    """Waits for the response page, which a click alone does not."""
    with page.expect_navigation():
        page.locator("#content").get_by_role("button", name=name, exact=True).click()


def tool(page: Page, name: str, *, more: str = " …") -> None:
    """A link above the list or the form; those that ask something first have dots."""
    page.locator(".object-tools").get_by_role("link", name=name + more, exact=True).click()


def said(page: Page, words: str) -> None:
    expect(page.locator(".messagelist")).to_contain_text(words)


def test_a_stock_keeper_receives_and_adjusts(
    sign_in: SignIn, new_context: NewContext, shop: Shop
) -> None:
    shelf = untouched(shop, least=4)
    name, now = f"{shelf.product} in {shelf.warehouse}", shelf.units
    shopper = new_context().new_page()
    shopper.add_init_script(NO_POLLS)
    shopper.goto(shelf.address)
    shelves = shopper.get_by_role("region", name="Price and stock")
    page = sign_in("keeper")
    page.goto(f"{LIST}?q=monolith")
    assert faults(page) == []
    find(page, shelf)
    assert faults(page) == []
    tool(page, "Receive")
    assert faults(page) == []
    page.get_by_label("Units").fill("5")
    page.get_by_label("Note").fill("Delivery 12")
    press(page, "Check")
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text(str(now + 5))
    assert faults(page) == []
    assert units(shop, shelf) == (now, 0)
    press(page, "Receive")
    said(page, f"{name}, total {now} → {now + 5}")
    expect(shelves).to_contain_text(f"{now + 5} left")

    tool(page, "Adjust")
    page.get_by_label("Change").fill("-1")
    press(page, "Check")
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Reason").select_option("damaged")
    page.get_by_label("Note").fill("Fell")
    press(page, "Check")
    press(page, "Change")
    page.get_by_label("Change").fill("-2")
    press(page, "Check")
    press(page, "Adjust")
    said(page, f"total {now + 5} → {now + 3}")
    assert units(shop, shelf) == (now + 3, 0)


def test_a_stock_keeper_writes_off_moves_and_reads_the_account(sign_in: SignIn, shop: Shop) -> None:
    shelf = untouched(shop, least=4)
    now = shelf.units
    page = sign_in("keeper")
    find(page, shelf)
    tool(page, "Write off")
    page.get_by_label("Units").fill("1")
    page.get_by_label("Note").fill("Flood")
    press(page, "Check")
    press(page, "Write off")
    said(page, f"total {now} → {now - 1}")

    tool(page, "Move")
    elsewhere = "Mumbai" if shelf.warehouse != "Mumbai" else "Delhi"
    page.get_by_label("Units").fill("2")
    page.get_by_label("To warehouse").select_option(elsewhere)
    press(page, "Check")
    expect(page.get_by_role("row").filter(has_text=f"in {elsewhere}")).to_contain_text("+2")
    press(page, "Move")
    said(page, f"total {now - 1} → {now - 3}")

    tool(page, "Set threshold")
    page.get_by_label("Low from").fill(str(now))
    press(page, "Check")
    press(page, "Set threshold")
    said(page, f"threshold 2 → {now}")
    assert units(shop, shelf) == (now - 3, 0)
    page.get_by_role("link", name="All movements of this row").click()
    lines = page.locator("#result_list tbody tr")
    for at, (change, left) in enumerate([("-2", now - 3), ("-1", now - 1)]):
        expect(lines.nth(at).locator(".field-change")).to_have_text(change)
        expect(lines.nth(at).locator(".field-balance")).to_have_text(str(left))
    assert faults(page) == []


def test_what_a_shopper_holds_cannot_be_taken_away(
    sign_in: SignIn, new_context: NewContext, shop: Shop
) -> None:
    shelf = untouched(shop, least=4)
    checkout = hold(new_context().new_page(), shelf, 2)
    reservation = checkout.rstrip("/").rpartition("/")[2]
    page = sign_in("keeper")
    find(page, shelf)
    expect(page.get_by_role("region", name="Live holds")).to_contain_text(reservation[:8])
    assert faults(page) == []
    tool(page, "Write off")
    page.get_by_label("Units").fill(str(shelf.units - 1))
    page.get_by_label("Note").fill("x")
    press(page, "Check")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("1 would be left, but 2 are reserved.")
    expect(alert).to_contain_text(f"2 by {reservation[:8]} until")
    assert faults(page) == []
    assert units(shop, shelf) == (shelf.units, 2)


def test_a_manager_changes_many_rows_at_once_and_exports_the_list(
    sign_in: SignIn, shop: Shop
) -> None:
    page = sign_in("manager")
    page.goto(f"{LIST}?q=monolith")
    rows = page.locator("#result_list tbody tr")
    total = rows.count()
    assert total > 1
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("receive")
    page.locator(".actions [type=submit]").click()
    expect(page.get_by_role("heading", name=f"{total} rows")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Units:", exact=True).fill("2")
    page.get_by_label(re.compile("^Units, ")).first.fill("3")
    press(page, "Check")
    expect(page.locator("#content tbody tr")).to_have_count(total)
    expect(page.locator("#content tbody")).to_contain_text("+3")
    assert faults(page) == []
    press(page, "Receive")
    said(page, "Received: Monolith")
    page.goto(f"{LIST}?q=monolith")
    with page.expect_download() as download:
        tool(page, "Export CSV", more="")
    assert Path(download.value.path()).read_text("utf-8-sig").count("monolith") == total


def test_a_manager_imports_a_file_with_mistakes_then_without(
    sign_in: SignIn, shop: Shop, complaints: Complaints
) -> None:
    shelf = untouched(shop)
    [(code,)] = shop.sql(f"SELECT code FROM inventory_warehouse WHERE name = '{shelf.warehouse}'")
    page = sign_in("manager")
    page.goto(LIST)
    tool(page, "Import adjustments", more="")
    assert faults(page) == []
    head = "product,warehouse,change,reason,note\n"
    right, wrong = f"{shelf.slug},{code},4,received,\n", "nothing,blr-01,1,received,\n"

    def upload(name: str, text: str) -> None:
        file = {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
        page.get_by_label("CSV or XLSX file").set_input_files(file)  # type: ignore[arg-type]
        press(page, "Check the file")

    upload("wrong.csv", head + right + wrong)
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("1 of 2 rows cannot be done", timeout=READ_MS)
    first = page.locator("#content tbody tr").first
    expect(first).to_contain_text("No product has the slug “nothing”.")
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    assert faults(page) == []
    page.goto("/admin/inventory/stockimport/upload/")
    upload("right.csv", head + right)
    # The page waits for the worker and reloads by itself.
    expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible(timeout=READ_MS)
    assert faults(page) == []
    press(page, "Apply 1 change")
    expect(page.get_by_text("Applied: all 1 rows were changed.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units + 4, 0)
    for other in ("stockimport/", "inventory/add/"):
        page.goto(f"/admin/inventory/{other}")
        assert faults(page) == []


def test_a_long_file_is_applied_by_the_workers_while_the_page_says_so(
    sign_in: SignIn, shop: Shop
) -> None:
    codes = "(SELECT code FROM inventory_warehouse w WHERE w.id = i.warehouse_id)"
    rows = shop.sql(
        f"SELECT p.slug, {codes} FROM inventory_inventory i JOIN catalog_product p"
        " ON p.id = i.product_id ORDER BY i.id"
    )
    # A long file needs more inventory rows than the shop has, so more are made.
    shop.sql(
        "INSERT INTO inventory_warehouse (code, name, position)"
        " SELECT 'far-' || n, 'Far ' || n, 99 FROM generate_series(1, 2) n ON CONFLICT DO NOTHING;"
        "INSERT INTO inventory_inventory (product_id, warehouse_id, total_units, reserved_units,"
        " low_stock_threshold) SELECT p.id, w.id, 0, 0, 0 FROM catalog_product p,"
        " inventory_warehouse w WHERE w.code LIKE 'far-%' ON CONFLICT DO NOTHING"
    )
    far = [(slug, f"far-{n}") for slug in {slug for slug, _ in rows} for n in (1, 2)]
    lines = [f"{slug},{code},1,received,\n" for slug, code in [*rows, *far]]
    assert len(lines) > 500
    page = sign_in("manager")
    page.goto("/admin/inventory/stockimport/upload/")
    text = "product,warehouse,change,reason,note\n" + "".join(lines)
    file = {"name": "long.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("CSV or XLSX file").set_input_files(file)  # type: ignore[arg-type]
    press(page, "Check the file")
    button = page.get_by_role("button", name=f"Apply {len(lines)} changes")
    expect(button).to_be_visible(timeout=READ_MS)
    press(page, f"Apply {len(lines)} changes")
    applied = page.get_by_text(f"Applied: all {len(lines)} rows were changed.")
    expect(applied).to_be_visible(timeout=READ_MS)


def test_a_viewer_sees_stock_and_cannot_change_it(
    sign_in: SignIn, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 403")
    shelf = untouched(shop)
    page = sign_in("viewer")
    page.goto(LIST)
    expect(page.get_by_role("link", name="Import adjustments")).to_have_count(0)
    expect(page.locator("select[name=action]")).to_have_count(0)
    find(page, shelf)
    assert faults(page) == []
    for verb in ("Receive", "Adjust", "Move", "Write off", "Set threshold"):
        expect(page.get_by_role("link", name=verb, exact=True)).to_have_count(0)
    page.get_by_role("link", name="All movements of this row").click()
    assert faults(page) == []
    for address in ("inventory/receive/?id=1", "inventory/adjust/?id=1,2", "stockimport/upload/"):
        answer = page.goto(f"/admin/inventory/{address}")
        assert answer is not None
        assert answer.status == 403


def test_all_of_it_works_without_javascript(sign_in: SignIn, shop: Shop) -> None:
    shelf = untouched(shop)
    page = sign_in("keeper", java_script_enabled=False)
    page.goto(f"{LIST}?q={shelf.slug}")
    row = page.get_by_role("row").filter(has_text=shelf.warehouse)
    row.get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("adjust")
    page.locator(".actions [type=submit]").click()
    page.get_by_label("Change").fill("1")
    page.get_by_label("Reason").select_option("counted")
    page.get_by_label("Note").fill("Shelf 3")
    press(page, "Check")
    press(page, "Adjust")
    said(page, f"total {shelf.units} → {shelf.units + 1}")
    page.goto("/admin/inventory/stockmovement/")
    page.get_by_text("More filters").click()
    page.get_by_role("textbox", name="Actor").fill("keeper")
    page.get_by_role("search", name="By actor").get_by_role("button").click()
    expect(page.locator("#result_list .field-note").first).to_have_text("Shelf 3")
