"""A page that stays open says the same of its stock as one that is opened: scripts and templates
have the same words."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.shopping import Shelf, hold, rare, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser

# A stream that is open and carries what the test says.
STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
    constructor() {
        super();
        streams.push(this);
        setTimeout(() => this.beat());
    }
    beat() {
        this.dispatchEvent(Object.assign(new Event("up"), { lastEventId: "" }));
    }
    close() {
        streams.splice(streams.indexOf(this), 1);
    }
};
"""
# Once the script is loaded what is heard is shown at once.
SAY = """
async (lines) => {
    await import(document.getElementById("stock").dataset.script);
    for (const stream of streams) for (const data of lines) stream.onmessage({ data });
    await new Promise((over) => setTimeout(over));
}
"""
# Of all that numbers change in panel, dialog and cards: whether it is in sight, what can be chosen,
# its icon and its words. A time that ticks is compared as a time.
SHOWN = """
() => [...document.querySelectorAll("[data-stock], [data-row], [data-when]")].map((it) => {
    const copy = it.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = Number(time.dataset.until);
    for (const hidden of copy.querySelectorAll("[hidden]")) hidden.remove();
    const says = it.querySelector("[data-says]");
    return [
        it.dataset.stock ?? it.dataset.row ?? it.dataset.when,
        // A form that someone may be filling in stays.
        it.querySelector("input") ? "a form" : it.hidden ? "hidden" : "in sight",
        says && `${says.className} ${says.dataset.says} ${says.querySelector("use").href.baseVal}`,
        it.querySelector("input[type=radio]")?.disabled,
        it.className,
        copy.textContent.replace(/\\s+/g, " ").trim(),
    ].join(" | ");
})
"""
# What is announced, and when by the page's clock.
KEEP_ANNOUNCED = """
window.announced = [];
addEventListener("allo:announce", ({ detail }) => {
    announced.push([detail, performance.now()]);
});
"""
# Until the answer was swapped in, or passed over.
# Only when it has settled does a part that came in listen to the next event.
REFRESH = """
(it, event) => new Promise((over) => {
    document.addEventListener(event, () => over(), { once: true });
    it.dispatchEvent(new Event("refresh"));
})
"""
MINUTE = 60_000_000
# The product's rows as messages tell them.
NUMBERS = """
    SELECT concat_ws(' ', 0, 'product:' || product_id, row.id,
        (extract(epoch FROM now()) * 1000000)::bigint, total_units, reserved_units, (
            SELECT extract(epoch FROM min(expires_at)) FROM reservations_reservation AS held
            WHERE held.inventory_id = row.id AND status = 'pending'
                AND total_units = reserved_units
        ))
    FROM inventory_inventory AS row JOIN catalog_product AS product ON product.id = product_id
    WHERE slug = '{slug}' ORDER BY row.id
"""
SET_UNITS = """
    WITH wanted AS (
        SELECT row.id, CASE warehouse.name WHEN '{warehouse}' THEN {there} ELSE {elsewhere} END
            - total_units AS delta
        FROM inventory_inventory AS row
        JOIN catalog_product AS product ON product.id = product_id
        JOIN inventory_warehouse AS warehouse ON warehouse.id = warehouse_id
        WHERE slug = '{slug}'
    ), movement AS (
        INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note, created_at)
        SELECT id, delta, 'adjusted', '', now() FROM wanted WHERE delta != 0
    )
    UPDATE inventory_inventory AS row SET total_units = total_units + delta
    FROM wanted WHERE row.id = wanted.id
"""


def test_what_messages_say_is_what_the_page_would_say(
    page: Page, new_context: NewContext, shop: Shop
) -> None:
    shelf = untouched(shop)
    newly = new_context()
    # As after an act of one's own: not the page that was kept for a second.
    newly.add_cookies([{"name": "allo_acted", "value": "1", "url": shop.url}])
    opened = newly.new_page()
    kept = {address: new_context().new_page() for address in pages_of(shelf)}
    for one in (opened, *kept.values()):
        one.add_init_script(STREAM)
    for address, one in kept.items():
        one.goto(address)

    def units(there: int, elsewhere: int) -> Callable[[], None]:
        names = {"slug": shelf.slug, "warehouse": shelf.warehouse}
        statement = SET_UNITS.format(**names, there=there, elsewhere=elsewhere)
        return lambda: shop.sql(statement)  # type: ignore[return-value]

    for state, act in (
        ("in_stock", units(90, 30)),
        ("sold_out", units(0, 0)),
        ("few", units(3, 0)),
        ("all_held", lambda: hold(page, shelf, 3)),
        ("few", units(5, 0)),
        ("in_stock", units(4, 7)),
    ):
        act()
        lines = [line for (line,) in shop.sql(NUMBERS.format(slug=shelf.slug))]
        for address, one in kept.items():
            one.evaluate(SAY, lines)
            opened.goto(address)
            fresh = opened.evaluate(SHOWN)
            assert any(state in line for line in fresh)
            assert one.evaluate(SHOWN) == fresh, (state, address)


def pages_of(shelf: Shelf) -> tuple[str, ...]:
    return shelf.address, f"/?q={shelf.product}", f"{shelf.address}reserve/"


def test_a_number_is_announced_now_and_then_and_a_new_state_at_once(page: Page, shop: Shop) -> None:
    shelf = rare(shop)
    page.clock.install()
    page.add_init_script(STREAM)
    page.goto(shelf.address)
    announcer = page.locator("#announcer")
    rows = [line.split() for (line,) in shop.sql(NUMBERS.format(slug=shelf.slug))]

    def say(*numbers: int) -> None:
        """So many units in one warehouse, and none in the others, which say so first."""
        lines: list[str] = []
        for units in numbers:
            for place, row in enumerate(rows):
                row[3:] = [str(int(row[3]) + 1), str(0 if place else units), "0"]
            lines += [" ".join(row) for row in reversed(rows)]
        page.evaluate(SAY, lines)

    page.evaluate(KEEP_ANNOUNCED)
    say(4, 3, 2)
    expect(page.locator("main [data-stock]").first).to_contain_text("2 of ")
    page.clock.fast_forward(10_000)
    expect(announcer).to_contain_text("2 of ")
    [(first, at), (second, then)] = page.evaluate("announced")
    assert "4 of " in first
    assert "2 of " in second
    assert then - at >= 10_000
    say(0)
    expect(announcer).to_contain_text(f"{shelf.product}: Sold out")


def test_what_is_older_than_what_is_shown_is_passed_over_unless_the_clock_was_set_back(
    page: Page, shop: Shop
) -> None:
    shelf = untouched(shop)
    page.add_init_script(STREAM)
    page.goto(shelf.address)
    words = page.locator("main [data-stock]").first
    rows = [line.split() for (line,) in shop.sql(NUMBERS.format(slug=shelf.slug))]
    now = int(rows[0][3])

    def say(units: int, at: int) -> None:
        for place, row in enumerate(rows):
            row[3:] = [str(at), str(0 if place else units), "0"]
        page.evaluate(SAY, [" ".join(row) for row in rows])

    for units, at, shown in ((4, now, 4), (3, now - 1, 4), (2, now - 2 * MINUTE, 2), (1, now, 1)):
        say(units, at)
        expect(words).to_contain_text(f"{shown} of ")

    panel = page.locator("#reserve-panel")
    read_at = int(panel.locator("[data-at]").get_attribute("data-at") or 0)
    part = page.request.get(f"{shelf.address}stock/").text()
    answer = {"body": part, "content_type": "text/html"}
    page.route("**/stock/", lambda route: route.fulfill(**answer))
    for name, at in (("Older", read_at - 1), ("Newer", read_at + 1), ("Set back", 5)):
        body = re.sub(r'data-at="\d+"', f'data-at="{at}"', part)
        answer["body"] = body.replace('aria-label="Price and stock"', f'aria-label="{name}"')
        panel.evaluate(REFRESH, "htmx:afterOnLoad" if name == "Older" else "htmx:afterSettle")
        label = "Price and stock" if name == "Older" else name
        expect(panel).to_have_attribute("aria-label", label)
