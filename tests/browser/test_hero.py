"""The hero: a film drawn as characters, where one is wanted, and otherwise its poster."""

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import NewContext

pytestmark = pytest.mark.browser

CHANGES = """
async (canvas) => {
    const look = () => canvas.toDataURL();
    const before = look();
    const deadline = performance.now() + 1000;
    while (performance.now() < deadline) {
        await new Promise(requestAnimationFrame);
        if (look() !== before) return true;
    }
    return false;
}
"""


@pytest.fixture
def motion() -> str:
    return "no-preference"


@pytest.fixture
def films(page: Page) -> list[str]:
    """What was asked for of the film."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if ".mp4" in request.url:
            asked.append(request.resource_type)

    page.on("request", note)
    return asked


def drawn(page: Page) -> Locator:
    return page.locator(".hero-stage canvas")


def test_it_is_drawn_from_a_film_that_is_fetched_once(page: Page, films: list[str]) -> None:
    page.goto("/")
    expect(drawn(page)).to_be_visible()
    assert drawn(page).evaluate(CHANGES)
    assert len(films) == 1
    page.wait_for_timeout(4_000)  # after which the browser says that a preload was of no use


def test_it_can_be_paused_and_pauses_out_of_sight(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert not drawn(page).evaluate(CHANGES)
    page.get_by_role("button", name="Play").click()
    assert drawn(page).evaluate(CHANGES)
    page.get_by_role("contentinfo").scroll_into_view_if_needed()
    expect(drawn(page)).not_to_be_in_viewport()
    page.wait_for_timeout(100)
    assert not drawn(page).evaluate(CHANGES)


@pytest.mark.parametrize(
    "options",
    [
        {"reduced_motion": "reduce"},
        {"java_script_enabled": False},
        {"extra_http_headers": {"Save-Data": "on"}},
    ],
    ids=str,
)
def test_the_poster_stays(new_context: NewContext, options: dict[str, object]) -> None:
    page = new_context(**options).new_page()
    if "extra_http_headers" in options:
        page.add_init_script(
            "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })"
        )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".hero-stage img")).to_be_visible()
    expect(drawn(page)).to_have_count(0)
    assert not [url for url in asked if ".mp4" in url]
