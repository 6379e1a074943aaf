"""Staff at work: each role through its tasks, on every page of the admin that is the shop's own."""

import re
import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import ADMIN, Complaints, NewContext, SignIn, screen
from tests.browser.shopping import NO_POLLS, Shelf, heading, hold, move_deadline, units, untouched
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser

LIST = "/admin/reservations/reservation/"


@pytest.fixture
def held(new_context: NewContext, shop: Shop) -> tuple[Page, Shelf]:
    """A shopper's open checkout, which hears of changes and does not poll, and the shelf it holds
    from."""
    shelf = untouched(shop)
    page = new_context().new_page()
    page.add_init_script(NO_POLLS)
    hold(page, shelf, 2)
    return page, shelf


def id_of(page: Page) -> str:
    return page.url.rstrip("/").rpartition("/")[2]


# --- support --------------------------------------------------------------------------------------


def test_support_releases_a_hold_and_the_shoppers_page_says_so(
    sign_in: SignIn, shop: Shop, held: tuple[Page, Shelf], complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    shopper, shelf = held
    page = sign_in("support")
    page.get_by_role("link", name=re.compile("^Held now")).click()
    page.get_by_label("Search reservations").fill(id_of(shopper)[:8])
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"Release {id_of(shopper)[:8]}").click()
    expect(page.get_by_text(f"2 × {shelf.product} in {shelf.warehouse}")).to_be_visible()
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Give the reason")).to_be_visible()
    page.get_by_label("Reason").fill("The shopper called")
    page.get_by_label("What the shopper reads").select_option("The shopper asked for it")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("status")).to_contain_text("Released 2 ×")
    expect(page).to_have_url(re.compile(rf"{LIST}\?.*q={id_of(shopper)[:8]}"))
    expect(page.get_by_text("Nothing here now.")).to_be_visible()
    page.goto(f"{LIST}{id_of(shopper)}/change/")
    expect(page.get_by_text("Released The shopper called")).to_be_visible()
    expect(heading(shopper, "We took it back.")).to_be_visible()
    expect(shopper.locator(".ending-lead")).to_contain_text("You asked us to.")
    expect(shopper).to_have_title(f"Taken back: {shelf.product} – Allo")
    assert units(shop, shelf) == (shelf.units, 0)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Released: The shopper called")).to_be_visible()


def test_support_gives_more_time_and_the_countdown_follows(
    sign_in: SignIn, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    page = sign_in("support")
    page.goto(f"{LIST}{id_of(shopper)}/change/")
    page.get_by_role("link", name="Extend …").click()
    page.get_by_label("Minutes more").fill("30")
    page.get_by_label("Reason").fill("Bank is slow")
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_role("status")).to_contain_text("Extended 2 ×")
    expect(shopper.get_by_role("timer")).to_contain_text(re.compile(r"3\d:\d\d"))


def test_the_list_refreshes_itself_and_keeps_what_is_chosen_and_where_one_is(
    sign_in: SignIn, new_context: NewContext, shop: Shop, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    mine = id_of(shopper)[:8]
    page = sign_in("support")
    page.goto(LIST)
    row = page.get_by_role("row", name=re.compile(mine))
    row.get_by_role("checkbox").check()
    release = page.get_by_role("link", name=f"Release {mine}")
    release.focus()
    other = new_context().new_page()
    hold(other, untouched(shop))
    theirs = page.get_by_role("row", name=re.compile(id_of(other)[:8]))
    expect(theirs).to_be_visible()
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(release).to_be_focused()
    other.get_by_role("link", name="Cancel the reservation").click()
    other.get_by_role("dialog").get_by_role("button").click()
    expect(theirs).to_have_count(0)
    expect(row.get_by_role("checkbox")).to_be_checked()


def test_all_of_a_holder_without_javascript(
    sign_in: SignIn, shop: Shop, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    first = id_of(shopper)
    hold(shopper, untouched(shop))
    page = sign_in("support", java_script_enabled=False)
    page.goto(f"{LIST}{first}/change/")
    page.get_by_role("link", name="Release all of this holder").click()
    page.get_by_label("Reason").fill("A bot")
    page.get_by_role("button", name="Release all 2").click()
    expect(page.get_by_role("status")).to_contain_text("Released 2 ×")


def test_support_finds_by_product_filter(sign_in: SignIn, held: tuple[Page, Shelf]) -> None:
    shopper, shelf = held
    page = sign_in("support")
    page.goto(LIST)
    page.get_by_text("More filters").click()
    field = page.get_by_label("Product", exact=True)
    field.press_sequentially(shelf.product[:5])
    expect(page.locator(f'#product-names option[value="{shelf.product}"]')).to_have_count(1)
    field.fill(shelf.product)
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("row", name=re.compile(id_of(shopper)[:8]))).to_be_visible()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("link", name=f"Without Product: {shelf.product}").click()
    expect(page.get_by_role("link", name="Without Product")).to_have_count(0)


# --- viewer and stock keeper ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["viewer", "keeper"])
def test_a_viewer_sees_no_buttons(
    sign_in: SignIn, held: tuple[Page, Shelf], complaints: Complaints, name: str
) -> None:
    complaints.expect("status of 403")
    shopper, _ = held
    page = sign_in(name)
    page.goto(LIST)
    expect(page.get_by_role("row", name=re.compile(id_of(shopper)[:8]))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Release [0-9a-f]{8}"))).to_have_count(0)
    page.goto(f"{LIST}release/?id={id_of(shopper)}")
    expect(heading(page, "Not for your role.")).to_be_visible()
    page.goto("/admin/catalog/product/")
    expect(page.get_by_role("link", name="Add product")).to_have_count(0)


# --- manager --------------------------------------------------------------------------------------


def picture(folder: Path) -> Path:
    """A PNG of one colour, 600 by 750."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    lines = (b"\0" + b"\x30\x60\x50" * 600) * 750
    path = folder / "bowl.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 600, 750, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
    return path


def drag_the_last_picture_first(staff: Page) -> None:
    pictures = staff.locator(".pictures img")
    pictures.last.drag_to(pictures.first)
    expect(pictures.first).to_have_attribute("alt", "Staff bowl: picture 3")
    opens = staff.get_by_label("Opens")
    save = staff.get_by_role("button", name="Save and continue editing")
    # A refused form forgets nothing of it.
    opens.fill("0026-12-01T10:00")
    save.click()
    expect(staff.get_by_text("Give a year from 2000 to 2999.")).to_be_visible()
    expect(pictures.first).to_have_attribute("alt", "Staff bowl: picture 3")
    opens.fill("")
    with staff.expect_navigation():
        save.click()
    expect(pictures.first).to_have_attribute("alt", "Staff bowl: picture 3")


def test_a_manager_makes_previews_and_publishes_a_product(
    sign_in: SignIn, page: Page, tmp_path: Path, complaints: Complaints, shop: Shop
) -> None:
    complaints.expect("status of 404|ERR_INTERNET_DISCONNECTED")
    staff = sign_in("manager")
    staff.goto("/admin/catalog/product/add/")
    staff.get_by_label("Name").press_sequentially("Staff bowl")
    expect(staff.get_by_label("Slug")).to_have_value("staff-bowl")
    staff.get_by_label("Category").select_option("Bowls & plates")
    staff.get_by_label("Price").fill("1250")
    staff.get_by_label("Tagline").fill("A bowl")
    staff.get_by_label("Description").fill("Made in a test.")
    staff.get_by_label("Alternative text").fill("A green bowl")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"<svg/>")
    staff.locator("#id_image").set_input_files(broken)
    staff.get_by_role("button", name="Save", exact=True).click()
    expect(staff.get_by_text("not a JPEG, PNG or WebP")).to_be_visible()
    expect(staff.get_by_label("Description")).to_have_value("Made in a test.")
    staff.locator("#id_image").set_input_files(picture(tmp_path))
    staff.get_by_role("button", name="Save and continue editing").click()
    expect(staff.get_by_role("status")).to_contain_text("was added")
    staff.wait_for_load_state()
    editing = staff.url
    further = staff.locator("#id_further")
    further.set_input_files([picture(tmp_path)] * 11)
    expect(staff.get_by_text("At most 10 at a time: you chose 11.")).to_be_visible()
    assert faults(staff) == []
    further.set_input_files([picture(tmp_path)] * 2)
    expect(staff.locator(".chosen li")).to_have_count(2)
    staff.context.set_offline(True)
    staff.get_by_role("button", name="Save and continue editing").click()
    expect(staff.get_by_text("Nothing is lost: press Save again")).to_be_visible()
    staff.context.set_offline(False)
    staff.get_by_role("button", name="Save and continue editing").click()
    expect(staff.locator(".pictures li")).to_have_count(3)
    expect(staff.get_by_role("status")).to_contain_text("was saved")
    drag_the_last_picture_first(staff)
    page.goto("/p/staff-bowl/")
    expect(heading(page, "Staff bowl")).to_have_count(0)
    staff.get_by_role("link", name="Preview on the shop").click()
    expect(staff.get_by_text("shoppers do not see this yet")).to_be_visible()
    staff.goto(editing)
    staff.get_by_role("link", name="Publish …").click()
    staff.get_by_role("button", name="Publish").click()
    expect(staff.get_by_role("status")).to_contain_text("Published Staff bowl.")
    page.goto("/p/staff-bowl/")
    expect(heading(page, "Staff bowl")).to_be_visible()
    staff.goto(editing)
    staff.get_by_role("link", name="Delete", exact=True).click()
    staff.get_by_role("button", name="Delete").click()
    assert not shop.sql("SELECT 1 FROM catalog_product WHERE slug = 'staff-bowl'")


def test_a_manager_has_the_books_audited(sign_in: SignIn, shop: Shop) -> None:
    page = sign_in("manager")
    page.goto("/admin/reservations/auditrun/")
    page.get_by_role("button", name="Audit now").click()
    expect(page.get_by_role("status")).to_contain_text("have been requested")
    wait_for(lambda: len(shop.sql("SELECT 1 FROM reservations_auditrun")) == 2)
    page.goto(ADMIN)
    expect(page.get_by_text("the books balance")).to_have_count(2)


# --- the door, and every page ---------------------------------------------------------------------


def test_five_wrong_passwords_lock_the_name_out(
    new_context: NewContext, people: None, complaints: Complaints
) -> None:
    complaints.expect("status of 429")
    page = new_context().new_page()
    for _ in range(5):
        page.goto(ADMIN)
        page.get_by_label("Username").fill("somebody")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
    expect(heading(page, "Too many wrong passwords.")).to_be_visible()
    assert faults(page) == []


PAGES = (
    "{admin}",
    "{list}",
    "{list}{reservation}/change/",
    "{list}trends/?days=30&product=tidal",
    "{list}release/?id={reservation}",
    "/admin/catalog/product/",
    "/admin/catalog/product/{product}/change/",
    "{list}?state=expired",
    "{list}{reservation}/history/",
    "{list}extend/?id={reservation}",
    "/admin/reservations/staffaction/",
    "/admin/reservations/auditrun/",
    "/admin/reservations/sweep/",
    "/admin/catalog/product/add/",
    "/admin/inventory/inventory/first/{product}/",
    "/admin/catalog/product/{product}/delete/",
    "/admin/catalog/product/unpublish/?id={product}",
    "/admin/catalog/category/",
    "/admin/catalog/drop/",
    "/admin/catalog/drop/{product}/change/",
    "/admin/checkout/contact/",
    "/admin/axes/accessattempt/",
    "/admin/password_change/",
)


OPENED = """
    UPDATE catalog_product SET opens_at = statement_timestamp() - interval '1 h'
    WHERE slug = 'tidal' RETURNING id
"""


def test_every_page_of_ours_by_axe_and_without_scrolling_sideways(
    sign_in: SignIn, shop: Shop, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    page = sign_in("manager")
    [(product,)] = shop.sql(OPENED)
    names = {"admin": ADMIN, "list": LIST, "reservation": id_of(shopper), "product": product}
    for address in PAGES:
        page.goto(address.format(**names))
        assert not (found := faults(page)), (address, found)
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (address, width)
    page.get_by_role("button", name="Sign out").click()
    page.goto(ADMIN)
    assert faults(page) == []


COUNT = """
    INSERT INTO reservations_countedday (day, begins_at, ends_at)
    VALUES (current_date - 2, current_date - 2, current_date - 1) ON CONFLICT DO NOTHING;
    INSERT INTO reservations_daycount (day_id, inventory_id, held, confirmed, expired, released,
        confirmed_units, confirmed_paise)
    SELECT current_date - 2, min(id), 12345, 0, 0, 0, 0, 0 FROM inventory_inventory
    ON CONFLICT DO NOTHING
"""


def test_a_long_name_is_whole_in_the_trends_on_a_wide_screen(sign_in: SignIn, shop: Shop) -> None:
    shop.sql(COUNT)
    page = sign_in("viewer", **screen("1440-light"))
    page.goto(f"{LIST}trends/?days=30")
    table = page.get_by_role("region", name="Table by product")
    link = table.get_by_role("link").first
    link.evaluate("it => (it.textContent = 'Donaudampfschiffer')")
    assert link.evaluate("it => it.getClientRects().length") == 1
    assert table.evaluate("it => it.scrollWidth - it.clientWidth") == 0


# Waits for the next refresh of this part.
HEARD = "part => new Promise((over) => part.addEventListener('htmx:afterRequest', over))"


def test_a_link_of_a_drop_keeps_its_focus_and_its_press_when_the_page_refreshes_itself(
    sign_in: SignIn, shop: Shop
) -> None:
    page = sign_in("manager")
    [(product,)] = shop.sql(OPENED)
    page.goto(f"/admin/catalog/drop/{product}/change/")
    for name in ("Held", "Sold"):
        link = page.get_by_role("link", name=name)
        link.focus()
        page.locator("#drop").evaluate(HEARD)
        expect(link).to_be_focused()
    page.get_by_role("link", name="Held").hover()
    page.mouse.down()
    page.locator("#drop").evaluate(HEARD)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"/reservation/\?state=live&product=tidal"))


def test_a_link_of_the_console_is_followed_though_its_row_changes_while_it_is_pressed(
    sign_in: SignIn, shop: Shop, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    page = sign_in("support")
    page.goto(LIST)
    link = page.locator(f"th a[href*='{id_of(shopper)}']")
    link.hover()
    page.mouse.down()
    move_deadline(shop, shopper.url, -60)
    page.locator("#console-rows").evaluate(HEARD)
    page.mouse.up()
    expect(page).to_have_url(re.compile(f"{id_of(shopper)}/change/"))


def test_the_toggle_changes_the_track(sign_in: SignIn) -> None:
    page = sign_in("viewer", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("button.theme-toggle").first.click()
    assert page.evaluate(background) != light


def test_a_hold_past_its_time_leaves_the_live_list(
    sign_in: SignIn, shop: Shop, held: tuple[Page, Shelf]
) -> None:
    shopper, _ = held
    page = sign_in("viewer")
    page.goto(LIST)
    row = page.get_by_role("row", name=re.compile(id_of(shopper)[:8]))
    expect(row).to_be_visible()
    move_deadline(shop, shopper.url, -601)
    expect(row).to_have_count(0)
