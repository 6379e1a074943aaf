"""At every width the pages fit, and nothing moves once it is there."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import NewContext
from tests.browser.shopping import hold, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser

ADDRESSES = (
    "/",
    "/?q=vase",
    "/p/tidal/",
    "/p/tidal/reserve/",
    "/reservations/",
    "/docs/",
    "/docs/settings/",
)
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries()))
    .observe({ type: "layout-shift" });
"""
# Fonts and all pictures in sight are there, and drawn.
SETTLED = """
async () => {
    const inSight = ({ y, bottom }) => y < innerHeight && bottom > 0;
    const pictures = [...document.images].filter((it) => inSight(it.getBoundingClientRect()));
    await Promise.all([document.fonts.ready, ...pictures.map((it) => it.decode())]);
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}
"""
PAINTED = """
new Promise((seen) => new PerformanceObserver(seen).observe({ type: "paint", buffered: true }))
"""
SHIFTED = "shifts.filter((it) => !it.hadRecentInput).map(({ value }) => value)"


@pytest.fixture
def motion() -> str:
    return "no-preference"


@pytest.fixture(params=[320, 768, 1440])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(viewport={"width": request.param, "height": 800}).new_page()


def overflow(page: Page) -> int:
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(wide, 0)


def test_no_page_has_to_be_scrolled_sideways(page: Page, shop: Shop) -> None:
    for address in ADDRESSES:
        page.goto(address)
        assert overflow(page) == 0, address
    hold(page, untouched(shop))
    assert overflow(page) == 0
    page.goto(page.url + "cancel/")
    assert overflow(page) == 0


def test_nothing_moves_while_a_page_loads(page: Page) -> None:
    page.add_init_script(WATCH_SHIFTS)
    for address in ADDRESSES:
        page.goto(address)
        if page.locator(".hero-stage").count():
            expect(page.locator(".hero-stage canvas")).to_be_visible()
        page.evaluate(SETTLED)
        assert sum(page.evaluate(SHIFTED)) == pytest.approx(0, abs=0.005), address


def test_little_moves_when_the_font_comes_after_the_first_paint(page: Page) -> None:
    """What the machine has instead is scaled to it, so that lines break at the same words."""
    page.add_init_script(WATCH_SHIFTS)
    late: list[Route] = []

    def keep(font: Route) -> None:
        late.append(font)

    page.route("**/*.woff2", keep)
    page.goto("/", wait_until="commit")
    page.evaluate(PAINTED)
    assert late
    for font in late:
        font.continue_()
    page.unroute("**/*.woff2")
    page.evaluate(SETTLED)
    assert sum(page.evaluate(SHIFTED)) == pytest.approx(0, abs=0.005)
