"""Every open page tells the truth: by push at once, by polling when there is none."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.conftest import Complaints, NewContext
from tests.browser.shopping import NO_POLLS, Shelf, confirm, heading, hold, rare, untouched
from tests.browser.test_offline import REFRESHED
from tests.running import PROJECT, Shop, clean_environment

pytestmark = pytest.mark.browser

HELD = re.compile(r"\d held")
STREAM = re.compile("/live/")
# Clicks the link as soon as it is in the page, before any timer.
CLICK_AT_ONCE = """
(mine) => {
    new MutationObserver((_, it) => {
        it.disconnect();
        document.getElementById("change-link").click();
    }).observe(mine.parentElement, { childList: true });
    mine.dispatchEvent(new Event("refresh"));
}
"""

# Staff, the clock and the API act in processes of their own, as this one does.
ELSEWHERE = """
import os, time
from uuid import UUID
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "allo.settings"
django.setup()
from allo import live
from reservations import services
while True:
    exec(input())
    print("done", flush=True)
"""

Do = Callable[[str], None]


@pytest.fixture(scope="module")
def do(shop: Shop) -> Iterator[Do]:
    process = subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE],
        cwd=PROJECT,
        env=clean_environment(STATE_DIR=str(shop.state)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    answers = process.stdout
    assert answers

    def do(line: str) -> None:
        print(line, file=process.stdin, flush=True)
        assert answers.readline() == "done\n"

    with process:
        yield do
        process.kill()


@pytest.fixture
def staff(do: Do) -> Callable[[str, str], None]:
    """Lets staff do something to the reservation of a checkout."""

    def staff(verb: str, checkout: str) -> None:
        pk = checkout.rstrip("/").rpartition("/")[2]
        do(f"services.{verb}(reservation_id=UUID('{pk}'))")

    return staff


@pytest.fixture
def elsewhere(new_context: NewContext) -> Page:
    """The device of another shopper."""
    return new_context().new_page()


# How often a stream of the page has reported that it is complete from now on.
COUNT_UPS = """
window.ups = 0;
window.EventSource = class extends EventSource {
    constructor(...options) {
        super(...options);
        this.addEventListener("up", () => {
            ups++;
            dispatchEvent(new Event("ups"));
        });
        this.addEventListener("message", ({ data }) => {
            if (data.includes("reservation:")) dispatchEvent(new Event("heard"));
        });
    }
};
"""
# Playwright's own wait_for_function evaluates a string, which the site's policy forbids.
MORE_UPS = """
(before) => new Promise((resolve, reject) => {
    const look = () => ups > before && resolve();
    addEventListener("ups", look);
    look();
    setTimeout(() => reject(Error("no stream is up")), 60_000);
})
"""
# How often a page would poll, by what NO_POLLS keeps of it.
POLL_MS = "poll.ms"


def visit(page: Page, address: str, *, polls: bool = False) -> None:
    """Opens a page, and waits until it listens."""
    page.add_init_script(COUNT_UPS if polls else COUNT_UPS + NO_POLLS)
    page.goto(address)
    page.evaluate(MORE_UPS, 0)
    assert polls or page.evaluate(POLL_MS)


def shelves(page: Page) -> Locator:
    return page.get_by_role("region", name="Price and stock")


def pill(page: Page) -> Locator:
    """The header's text about this shopper's holds."""
    return page.get_by_role("link", name=HELD)


def card(page: Page, shelf: Shelf) -> Locator:
    return page.locator(".card").filter(
        has=page.get_by_role("link", name=shelf.product, exact=True)
    )


# --- by push ------------------------------------------------------------------------------------


def test_what_came_in_can_be_pressed_at_once(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    hold(page, shelf)
    page.goto(shelf.address)
    page.locator("#mine").evaluate(CLICK_AT_ONCE)
    expect(page.get_by_role("dialog").get_by_text("You hold 1 from")).to_be_visible()


@pytest.mark.parametrize(
    ("verb", "title", "tab"),
    [
        ("confirm", "It is yours.", "Confirmed"),
        ("release", "Back on the shelf.", "Cancelled"),
    ],
)
def test_checkout_and_header_say_at_once_what_staff_did(  # noqa: PLR0917
    page: Page, shop: Shop, staff, verb: str, title: str, tab: str
) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    visit(page, checkout)
    expect(page).to_have_title(re.compile(rf"^\d+:\d\d – Held for you: {shelf.product} – Allo$"))
    staff(verb, checkout)
    expect(heading(page, title)).to_be_visible()
    expect(page).to_have_title(f"{tab}: {shelf.product} – Allo")
    expect(pill(page)).to_be_hidden()


def test_another_device_extends_and_what_is_being_typed_stays(
    page: Page, new_context: NewContext, shop: Shop
) -> None:
    checkout = hold(page, untouched(shop))
    device = new_context(storage_state=page.context.storage_state()).new_page()
    visit(page, checkout)
    visit(device, checkout)
    page.get_by_label("Name", exact=True).press_sequentially("Asha R")
    device.get_by_role("button", name="More time").evaluate("button => button.click()")
    expect(page.locator(".clock-note")).to_have_text("1 extension left")
    page.keyboard.type("ao")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")
    expect(device.locator(".clock-note")).to_have_text("1 extension left")
    confirm(device)
    expect(heading(device, "It is yours.")).to_be_visible()
    expect(heading(page, "It is yours.")).to_be_visible()


# When the page has heard of its reservation and would have requested it anew, which it does once a
# second at most.
HEARD = """
() => new Promise((resolve, reject) => {
    addEventListener("heard", () => setTimeout(resolve, 1100), { once: true });
    setTimeout(() => reject(Error("no message")), 60_000);
})
"""


def test_confirm_is_not_lost_while_more_time_is_under_way(
    page: Page, shop: Shop, staff, complaints: Complaints
) -> None:
    checkout = hold(page, untouched(shop))
    visit(page, checkout)
    # Its response never comes.
    page.route("**/renew/", lambda _: None)
    page.get_by_role("button", name="More time").evaluate("button => button.click()")
    page.evaluate(f"window.hearing = ({HEARD})(); null")
    staff("renew", checkout)
    page.evaluate("hearing")
    complaints.expect("htmx:(afterRequest|sendAbort)")
    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_a_link_keeps_the_focus_when_its_part_is_refreshed(page: Page, shop: Shop) -> None:
    hold(page, untouched(shop))
    hold(page, untouched(shop))
    link = page.get_by_role("link", name="Pay for all together")
    link.focus()
    page.locator("#also").evaluate(REFRESHED)
    expect(link).to_be_focused()


def test_a_hold_shows_in_a_tab_that_knew_of_no_shopper(page: Page, shop: Shop, staff) -> None:
    tab = page.context.new_page()
    tab.add_init_script(NO_POLLS)
    tab.goto("/docs/design/")
    checkout = hold(page, untouched(shop))
    expect(pill(tab)).to_contain_text("1 held")
    staff("release", checkout)
    expect(pill(tab)).to_be_hidden()


WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries().filter(({ value }) => value > 0.0005))
        shifts.push(`${value} ${sources.map(({ node }) => node?.className ?? node?.nodeName)}`);
}).observe({ type: "layout-shift" });
"""


@pytest.mark.parametrize("width", [360, 1440])
def test_product_grid_and_list_follow_and_nothing_moves(
    page: Page, elsewhere: Page, shop: Shop, staff, width: int
) -> None:
    shelf = rare(shop)
    page.set_viewport_size({"width": width, "height": 800})
    visit(page, shelf.address)
    reserve = page.get_by_role("link", name="Reserve", exact=True)
    reserve.focus()
    grid = page.context.new_page()
    grid.set_viewport_size({"width": width, "height": 800})
    visit(grid, f"/?q={shelf.product}")
    name = card(grid, shelf).get_by_role("link")
    name.focus()
    places = grid.locator(".card-name").all_text_contents()
    for it in (page, grid):
        it.evaluate(WATCH_SHIFTS)

    checkout = hold(elsewhere, shelf)
    expect(shelves(page)).to_contain_text("All held")
    expect(page.locator("#reserve-link-gone")).to_be_focused()
    expect(card(grid, shelf)).to_contain_text("All held")
    expect(grid.locator("#announcer")).to_contain_text(f"{shelf.product}: All held")
    expect(name).to_be_focused()
    assert grid.locator(".card-name").all_text_contents() == places

    visit(elsewhere, "/reservations/")
    staff("release", checkout)
    expect(elsewhere.locator(".holding").first).to_contain_text("Cancelled")
    expect(card(grid, shelf)).to_contain_text("1 of ")
    expect(reserve).to_be_visible()
    assert (page.evaluate("shifts"), grid.evaluate("shifts")) == ([], [])
    reserve.click()
    expect(page.locator("#reserve-form")).to_be_visible()


def test_the_reserve_form_offers_what_became_free(
    page: Page, elsewhere: Page, shop: Shop, staff
) -> None:
    shelf = rare(shop)
    checkout = hold(elsewhere, shelf)
    visit(page, f"{shelf.address}reserve/")
    form = page.locator("#reserve-form")
    expect(form).to_contain_text("Every piece is held or promised")
    staff("release", checkout)
    expect(form.get_by_role("button", name="Reserve")).to_be_visible()


def test_an_ended_checkout_offers_it_again_as_soon_as_there_is_one(
    page: Page, elsewhere: Page, shop: Shop, staff
) -> None:
    shelf = rare(shop)
    checkout = hold(page, shelf)
    staff("release", checkout)
    visit(page, checkout)
    again = page.get_by_role("button", name="Reserve 1 again")
    again.focus()
    others = hold(elsewhere, shelf)
    expect(page.locator("#again")).to_contain_text("held or promised right now")
    expect(page.locator("#again-button-gone")).to_be_focused()
    staff("release", others)
    expect(again).to_be_focused()
    again.click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()


def test_a_drop_makes_no_page_request_anything(
    page: Page, elsewhere: Page, shop: Shop, do: Do
) -> None:
    shelf = untouched(shop)
    visit(page, shelf.address)
    visit(elsewhere, f"/?q={shelf.product}")
    row = int(shelves(page).locator("[data-row]").first.get_attribute("data-row") or 0)
    product = int(shelves(page).locator("[data-stock]").get_attribute("data-stock") or 0)
    asked: list[str] = []
    for it in (page, elsewhere):
        it.on("request", lambda request: asked.append(request.url))
    do("from inventory.events import StockChanged; from allo.live.events import publish_events")
    do("from django.utils import timezone")
    sold = f"StockChanged({row}, {product}, 400 - n, 0, timezone.now(), 0)"
    do(f"for n in range(300): publish_events([{sold}]); time.sleep(0.01)")
    expect(shelves(page).locator(f"[data-row='{row}']")).to_contain_text("101 left")
    # The script itself is loaded when it is first needed.
    assert [url for url in asked if "/static/js/stock." not in url] == []


def test_a_new_price_is_read_by_every_page_once(
    page: Page, elsewhere: Page, shop: Shop, do: Do
) -> None:
    shelf = untouched(shop)
    visit(page, shelf.address)
    visit(elsewhere, f"/?q={shelf.product}")
    do("from catalog.models import Product; from catalog.events import publish_pages")
    do(f"its = Product.objects.filter(slug={shelf.slug!r}); its.update(price_paise=777700)")
    do("publish_pages(its.values_list('pk', flat=True))")
    price = re.compile(r"₹\s7,777")
    expect(shelves(page).locator(".panel-price")).to_have_text(price)
    expect(card(elsewhere, shelf)).to_contain_text(price)


def test_open_pages_follow_a_category_to_its_new_name_and_address(
    page: Page, elsewhere: Page, shop: Shop, do: Do
) -> None:
    shelf = untouched(shop)
    visit(page, shelf.address)
    link = page.locator(".crumbs a").last
    name, slug = link.inner_text(), str(link.get_attribute("href")).partition("=")[2]
    visit(elsewhere, f"/?category={slug}")
    do("from catalog.models import Category; from catalog.events import publish_categories")
    do(f"its = Category.objects.filter(slug={slug!r}); key = its.get().pk")
    do("its.update(name='Vessels', slug='vessels'); publish_categories()")
    try:
        expect(link).to_have_text("Vessels")
        expect(link).to_have_attribute("href", re.compile(r"/\?category=vessels$"))
        expect(page.locator("#related-title")).to_have_text("More vessels")
        expect(elsewhere.locator("h1")).to_have_text("Vessels")
        expect(elsewhere.locator(".chips")).to_contain_text("Vessels")
        expect(elsewhere).to_have_title("Vessels – Allo")
    finally:
        do(f"Category.objects.filter(pk=key).update(name={name!r}, slug={slug!r})")


def test_open_pages_say_that_a_product_was_taken_out_of_the_shop_until_it_is_back(
    page: Page, elsewhere: Page, shop: Shop, do: Do, complaints: Complaints
) -> None:
    complaints.expect("status of 404")
    shelf = untouched(shop)
    visit(page, shelf.address)
    reserve = page.get_by_role("link", name="Reserve", exact=True)
    reserve.focus()
    visit(elsewhere, f"{shelf.address}reserve/")
    form = elsewhere.locator("#reserve-form")
    grid = page.context.new_page()
    visit(grid, f"/?q={shelf.product}")
    do("from catalog.models import Product; from catalog.events import publish_pages")
    do("from django.db.models.functions import Now")
    do(f"its = Product.objects.filter(slug={shelf.slug!r}); keys = [its.get().pk]")
    do("its.update(published_at=None); publish_pages(keys)")
    says = f"{shelf.product} is not in the shop any more."
    for it in (shelves(page), form):
        expect(it.get_by_text(says)).to_be_visible()
    expect(shelves(page).get_by_text(says)).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text(says)
    expect(reserve).to_be_hidden()
    expect(shelves(page).get_by_role("list", name="Stock by warehouse")).to_be_hidden()
    expect(form.get_by_role("button", name="Reserve")).to_be_hidden()
    expect(card(grid, shelf)).to_contain_text("Not in the shop any more")
    do("its.update(published_at=Now()); publish_pages(keys)")
    expect(reserve).to_be_visible()
    expect(form.get_by_role("button", name="Reserve")).to_be_visible()
    expect(form.get_by_text(says)).to_be_hidden()
    expect(card(grid, shelf)).not_to_contain_text("Not in the shop")


# --- without push -------------------------------------------------------------------------------

# Each second, and how often they would come.
QUICK_POLLS = """
{
    const { setInterval } = window;
    window.setInterval = (act, ms, ...more) => {
        if (ms >= 1000) window.poll = { ms };
        return setInterval(act, Math.min(ms, 1000), ...more);
    };
}
"""


def test_with_the_stream_blocked_pages_poll(
    page: Page, elsewhere: Page, shop: Shop, complaints: Complaints, staff
) -> None:
    complaints.expect("net::ERR_FAILED")
    for one in (page, elsewhere):
        one.context.route(STREAM, lambda route: route.abort())
        one.context.add_init_script(QUICK_POLLS)
    shelf = rare(shop)
    elsewhere.goto(f"/?q={shelf.product}")
    product = elsewhere.context.new_page()
    product.goto(shelf.address)
    assert [one.evaluate(POLL_MS) for one in (elsewhere, product)] == [5_000, 5_000]
    checkout = hold(page, shelf)
    expect(card(elsewhere, shelf)).to_contain_text("All held")
    row = shelves(product).locator(".shelf-none", has_text=shelf.warehouse)
    expect(row).to_contain_text("All held")
    staff("release", checkout)
    expect(heading(page, "Back on the shelf.")).to_be_visible()
    expect(pill(page)).to_be_hidden()
    expect(card(elsewhere, shelf)).to_contain_text("1 of ")
    expect(product.get_by_role("link", name="Reserve", exact=True)).to_be_visible()


def test_redis_gone_pages_poll_and_push_comes_back_by_itself(
    page: Page, shop: Shop, staff, elsewhere: Page
) -> None:
    shelf = untouched(shop)
    checkout = hold(elsewhere, shelf)
    visit(page, shelf.address, polls=True)
    row = page.locator(".shelf", has_text=shelf.warehouse)
    redis = shop.child("valkey-server")
    # The runner would end a Redis that hangs, and push would be back.
    shop.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(redis, signal.SIGSTOP)
        staff("release", checkout)
        expect(row).to_contain_text(f"{shelf.units} left")
        ups = page.evaluate("ups")
        os.kill(redis, signal.SIGKILL)
    finally:
        shop.process.send_signal(signal.SIGCONT)
    page.evaluate(MORE_UPS, ups)
    assert any(is_quiet(page) for _ in range(20))
    hold(elsewhere, shelf)
    expect(row).to_contain_text(f"{shelf.units - 1} left")


def is_quiet(page: Page) -> bool:
    """Nothing is sent for longer than from one poll to the next."""
    try:
        page.wait_for_event("request", timeout=5_200)
    except PlaywrightTimeoutError:
        return True
    return False


# Each tab has one of the three places to listen at, or waits for one.
ALL_IN_LINE = """
async (tabs) => {
    const inLine = async () => {
        const { held, pending } = await navigator.locks.query();
        return [...held, ...pending].filter(({ name }) => name.startsWith("live-")).length;
    };
    const deadline = performance.now() + 60_000;
    while ((await inLine()) < tabs && performance.now() < deadline)
        await new Promise(requestAnimationFrame);
    return inLine();
}
"""


def test_eight_tabs_leave_the_shop_its_connections(page: Page, shop: Shop, staff) -> None:
    """All of them in sight at once, as no real window shows them."""
    page.context.add_init_script(NO_POLLS)
    checkout = hold(page, untouched(shop))
    streams: list[str] = []
    page.context.on(
        "response", lambda it: streams.append(it.url) if STREAM.search(it.url) else None
    )
    tabs = [page, *(page.context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.goto("/docs/design/")
    assert page.evaluate(ALL_IN_LINE, len(tabs)) == len(tabs)
    assert len(streams) <= 3
    staff("release", checkout)
    for tab in tabs:
        expect(pill(tab)).to_be_hidden()
