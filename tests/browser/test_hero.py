"""The hero: a film drawn as characters, where one is wanted, and otherwise its poster."""

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Complaints, NewContext

pytestmark = pytest.mark.browser

# A worker draws on the canvas, so the page has to copy it to see it.
LOOK = """
    const copy = document.createElement("canvas");
    const look = () => {
        Object.assign(copy, { width: canvas.width, height: canvas.height });
        copy.getContext("2d").drawImage(canvas, 0, 0);
        return copy.toDataURL();
    };
"""
CHANGES = f"""
async (canvas) => {{
    {LOOK}
    const before = look();
    const deadline = performance.now() + 60_000;
    while (performance.now() < deadline) {{
        await new Promise(requestAnimationFrame);
        if (look() !== before) return true;
    }}
    return false;
}}
"""
# Whether it stops: nothing is drawn for a second.
STOPS = f"""
async (canvas) => {{
    {LOOK}
    let before, since = performance.now();
    const deadline = since + 60_000;
    while (performance.now() < deadline) {{
        await new Promise(requestAnimationFrame);
        const now = look();
        if (now !== before) [before, since] = [now, performance.now()];
        else if (performance.now() - since > 1000) return true;
    }}
    return false;
}}
"""
# The browser reports all unused preloads in one message, this one among them.
USELESS_PRELOAD = """
addEventListener("DOMContentLoaded", () => {
    const preload = { rel: "preload", as: "fetch", href: "/livez", crossOrigin: "anonymous" };
    document.head.append(Object.assign(document.createElement("link"), preload));
});
"""


@pytest.fixture
def motion() -> str:
    return "no-preference"


@pytest.fixture
def films(page: Page) -> list[str]:
    """The requests for the film."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if ".mp4" in request.url:
            asked.append(request.resource_type)

    page.on("request", note)
    return asked


def drawn(page: Page) -> Locator:
    return page.locator(".hero-stage canvas")


def test_it_is_drawn_from_a_film_that_is_fetched_once(
    page: Page, films: list[str], complaints: Complaints
) -> None:
    complaints.expect("/livez was preloaded .* but not used")
    page.add_init_script(USELESS_PRELOAD)
    with page.expect_console_message(
        lambda message: "/livez was preloaded" in message.text, timeout=60_000
    ):
        page.goto("/")
        expect(drawn(page)).to_be_visible()
        assert drawn(page).evaluate(CHANGES)
    assert len(films) == 1


def test_it_is_drawn_where_frames_can_only_be_copied(page: Page) -> None:
    page.add_init_script("delete self.VideoFrame")
    page.goto("/")
    expect(drawn(page)).to_be_visible()
    assert drawn(page).evaluate(CHANGES)


def test_it_can_be_paused_and_pauses_out_of_sight(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert drawn(page).evaluate(STOPS)
    page.get_by_role("button", name="Play").click()
    assert drawn(page).evaluate(CHANGES)
    page.get_by_role("contentinfo").scroll_into_view_if_needed()
    expect(drawn(page)).not_to_be_in_viewport()
    assert drawn(page).evaluate(STOPS)


def test_paused_before_it_began_it_plays_later(page: Page) -> None:
    """The browser's refusal is made here: it would not refuse a film that has loaded already."""
    page.add_init_script(
        """const { play } = HTMLMediaElement.prototype;
        HTMLMediaElement.prototype.play = function () {
            HTMLMediaElement.prototype.play = play;
            const refused = Promise.reject(new DOMException("paused", "AbortError"));
            refused.catch(() => dispatchEvent(new Event("visibilitychange")));
            return refused;
        };"""
    )
    page.goto("/")
    expect(drawn(page)).to_be_visible()
    assert drawn(page).evaluate(CHANGES)


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
    # Its script decides before the page is loaded, and requests the film at once or never.
    page.goto("/")
    expect(page.locator(".hero-stage img")).to_be_visible()
    expect(drawn(page)).to_have_count(0)
    assert not [url for url in asked if ".mp4" in url]


def test_the_poster_stays_where_nobody_draws(page: Page, complaints: Complaints) -> None:
    complaints.expect("Failed to load resource")
    page.route("**/hero-worker.*", lambda route: route.abort())
    with (
        page.expect_request_finished(lambda request: ".mp4" in request.url),
        page.expect_event("requestfailed", lambda request: "hero-worker" in request.url),
    ):
        page.goto("/")
    expect(page.locator(".hero-stage img")).to_be_visible()
    expect(drawn(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
