"""What axe finds wrong with a page, up to WCAG 2.2 AA: look, rule and element of each fault."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Each width and each scheme once: what is laid out depends on one, how it is coloured on the other.
LOOKS = ((1440, "light"), (360, "dark"))
OPTIONS = {
    "runOnly": RULES,
    "resultTypes": ["violations"],
    # Not the style sheets too: those that Django's import would go into a page of axe's own, of
    # which the site's policy complains.
    "preload": {"assets": ["media"], "timeout": 10_000},
}
# Half faded in, a text has half its contrast. What is replaced meanwhile moves no more either.
MOTION_OVER = """
Promise.allSettled(document.getAnimations()
    .filter(({ timeline }) => timeline instanceof DocumentTimeline)
    .filter(({ playState, effect }) => playState === "running" && effect.getTiming().iterations < 9)
    .map((motion) => motion.finished))
"""
RUN = "options => axe.run(options).then(({ violations }) => violations)"

Fault = tuple[str, str, str]


def faults(page: Page) -> list[Fault]:
    """In each of LOOKS, the first of which the page keeps."""
    page.wait_for_load_state()
    # Once, not at each look as Axe.run() does: half a megabyte takes its time to arrive.
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
