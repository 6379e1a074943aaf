"""What axe finds wrong with a page, up to WCAG 2.2 AA: look, rule and element of each fault."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Width, scheme, and the rules whose verdict may be another than in the look before.
LOOKS = (
    (1440, "light", RULES),
    (1440, "dark", ["color-contrast", "link-in-text-block"]),
    (360, "light", RULES),
)
# Half faded in, a text has half its contrast. What is replaced meanwhile moves no more either.
MOTION_OVER = """
Promise.allSettled(document.getAnimations()
    .filter(({ timeline }) => timeline instanceof DocumentTimeline)
    .filter(({ playState, effect }) => playState === "running" && effect.getTiming().iterations < 9)
    .map((motion) => motion.finished))
"""
RUN = "options => axe.run(options).then(({ violations }) => violations)"

Fault = tuple[str, str, str]


def faults(page: Page, *, preload: bool = True) -> list[Fault]:
    """In each of LOOKS, the first of which the page keeps."""
    page.wait_for_load_state()
    # Once, not at each look as Axe.run() does: half a megabyte takes its time to arrive.
    page.evaluate(AXE_SCRIPT)
    found = []
    for width, scheme, rules in LOOKS:
        show(page, width, scheme)
        options = {"runOnly": rules, "resultTypes": ["violations"], "preload": preload}
        for fault in page.evaluate(RUN, options):
            found += [(f"{width} {scheme}", fault["id"], it["html"][:200]) for it in fault["nodes"]]
    show(page, *LOOKS[0][:2])
    return found


def show(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate(MOTION_OVER)


def faults_of_staff_page(page: Page) -> list[Fault]:
    """Axe is not to fetch what Django's style sheets import, which it puts into a page of its own,
    and the page's policy complains of that."""
    return faults(page, preload=False)
