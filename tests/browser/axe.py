"""Faults that axe finds in a page, up to WCAG 2.2 AA: look, rule and element of each."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Each width and each scheme once: the layout depends on the one, the colours on the other.
LOOKS = ((1440, "light"), (360, "dark"))
OPTIONS = {
    "runOnly": RULES,
    "resultTypes": ["violations"],
    # Without style sheets: axe would load those that Django's import into a page of its own, which
    # the site's policy reports.
    "preload": {"assets": ["media"], "timeout": 10_000},
}
# Wait for animations: a text that is half faded in has less contrast.
MOTION_OVER = """
Promise.allSettled(document.getAnimations()
    .filter(({ timeline }) => timeline instanceof DocumentTimeline)
    .filter(({ playState, effect }) => playState === "running" && effect.getTiming().iterations < 9)
    .map((motion) => motion.finished))
"""
RUN = "options => axe.run(options).then(({ violations }) => violations)"

Fault = tuple[str, str, str]


def faults(page: Page) -> list[Fault]:
    """Checks each of LOOKS; the page keeps the first."""
    page.wait_for_load_state()
    # Once, not for each look as Axe.run() does: it is half a megabyte.
    page.evaluate(AXE_SCRIPT)
    found = []
    for width, scheme in LOOKS:
        show(page, width, scheme)
        for fault in page.evaluate(RUN, OPTIONS):
            found += [(f"{width} {scheme}", fault["id"], it["html"][:200]) for it in fault["nodes"]]
    show(page, *LOOKS[0])
    return found


def show(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate(MOTION_OVER)
