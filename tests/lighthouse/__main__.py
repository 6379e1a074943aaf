"""`make lighthouse`: Google's Lighthouse, as a phone, on pages of the real shop.

Needs npm, from which Lighthouse comes; the shop itself does not. Writes RESULTS.md beside this
file, and exits 1 if a score is below its aim.

Lighthouse multiplies a page's processor time by a number that stands for a phone if the machine is
a fast desktop, so it is first chosen for this machine.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from tests.browser.install import ensure
from tests.running import Shop, running_shop, wait_for

Report = dict[str, Any]

AIMS = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
# Of each page. The run with the middle LCP counts, as runs of one page differ by a tenth.
RUNS = 3
# At most; `METRICS` are Lighthouse's names for them.
LCP = 1.5
LIMITS = {"LCP, s": LCP, "CLS": 0.0}
METRICS = {
    "LCP, s": ("largest-contentful-paint", 1000),
    "CLS": ("cumulative-layout-shift", 1),
    "blocked, ms": ("total-blocking-time", 1),
}
PICTURES = ("catalog_product", "catalog_productpicture")
RESULTS = Path(__file__).with_name("RESULTS.md")
FLAGS = (
    "--headless=new --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
PUBLIC = {"/", "/?q=lamp", "/p/tidal/", "/docs/", "/about/"}
PAGES = {
    "grid": "/",
    "search": "/?q=lamp",
    "product": "/p/tidal/",
    "written page": "/about/",
    "docs": "/docs/",
    "reserve form": "/p/tidal/reserve/",
    "bag": "/bag/",
    "what I hold": "/reservations/",
}
# How fast a machine is, as Lighthouse finds it with each page.
INDEX = "benchmarkIndex"
# Lighthouse's calculator, to which its documentation of throttling leads: from this index of a
# machine a phone is so many times slower, and once more for each so many above.
SLOWDOWNS = ((1300, 3, 233), (800, 2, 500), (150, 1, 650))
# A shopper's own page is not to be indexed, whatever Lighthouse recommends.
PRIVATE = "is-crawlable"


def main() -> int:
    if not shutil.which("npx"):
        sys.exit("make lighthouse needs npm, from which Lighthouse comes.")
    browser = ensure()
    with running_shop(RESERVATION_TTL_SECONDS="3600") as shop:
        cookie, checkout = hold(shop)
        wait_for(lambda: has_every_size(shop), seconds=600)
        index = power(browser, shop.url + PAGES["written page"])
        reports = {
            name: report_on(browser, shop.url + path, "" if path in PUBLIC else cookie, index)
            for name, path in (PAGES | {"checkout": checkout}).items()
        }
    results = {name: result_of(report) for name, report in reports.items()}
    late = {name: report for name, report in reports.items() if results[name]["LCP, s"] > LCP}
    lines = [*heading(index, reports["grid"]), *table(results), *parts(late)]
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())
    return int(any(missed(result) for result in results.values()))


def has_every_size(shop: Shop) -> bool:
    """Whether the worker has made the sizes of all pictures. In the first minutes of a new shop it
    takes half the machine for that."""
    return not any(
        shop.sql(f"SELECT 1 FROM {table} WHERE widths IS NULL LIMIT 1") for table in PICTURES
    )


def missed(result: dict[str, float]) -> bool:
    return any(result[aim] < AIMS[aim] for aim in AIMS) or any(
        result[limit] > LIMITS[limit] for limit in LIMITS
    )


def hold(shop: Shop) -> tuple[str, str]:
    """A reservation's checkout page, and the cookies that show it."""
    jar = CookieJar()
    client = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    address = f"{shop.url}/p/tidal/reserve/"
    page = client.open(address).read().decode()
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page))
    form = urllib.parse.urlencode({**fields, "warehouse": "", "quantity": 1}).encode()
    checkout = urllib.parse.urlsplit(client.open(address, form).url).path
    assert checkout.startswith("/checkout/"), checkout
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar), checkout


def power(browser: Path, url: str) -> float:
    """The machine's best index of a few: a busy moment would make the phone too fast."""
    runs = (lighthouse(browser, url, "--only-audits=viewport") for _ in range(3))
    return max(float(run["environment"][INDEX]) for run in runs)


def slowdown(index: float) -> float:
    found = (times + (index - least) / more for least, times, more in SLOWDOWNS if index >= least)
    return round(next(found, 1), 2)


def report_on(browser: Path, url: str, cookie: str, index: float) -> Report:
    options = [
        f"--only-categories={','.join(AIMS)}",
        f"--throttling.cpuSlowdownMultiplier={slowdown(index)}",
    ]
    if cookie:
        headers = json.dumps({"Cookie": cookie})
        options += [f"--extra-headers={headers}", f"--skip-audits={PRIVATE}"]
    runs = [lighthouse(browser, url, *options) for _ in range(RUNS)]
    report = sorted(runs, key=lcp)[RUNS // 2]
    for audit in report["audits"].values():
        if audit["score"] is not None and audit["score"] < 0.9:
            print(f"{url}: {audit['id']} {audit['score']} {audit.get('displayValue', '')}")
    return report


def lcp(report: Report) -> float:
    return float(report["audits"][METRICS["LCP, s"][0]]["numericValue"])


def lighthouse(browser: Path, url: str, *options: str) -> Report:
    flags = FLAGS + (" --no-sandbox" if os.geteuid() == 0 else "")
    command = [
        "npx", "--yes", "lighthouse@12", url, "--quiet", "--output=json",
        f"--chrome-flags={flags}", *options,
    ]  # fmt: skip
    environment = os.environ | {"CHROME_PATH": str(browser)}
    run = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=180)
    report: Report = json.loads(run.stdout)
    return report


def result_of(report: Report) -> dict[str, float]:
    scores = {name: round(report["categories"][name]["score"] * 100) for name in AIMS}
    metrics = {
        name: round(report["audits"][audit]["numericValue"] / unit, 2)
        for name, (audit, unit) in METRICS.items()
    }
    return scores | metrics | {INDEX: round(report["environment"][INDEX])}


def heading(index: float, report: Report) -> list[str]:
    return [
        "# What `make lighthouse` measured",
        "",
        f"Lighthouse {report['lighthouseVersion']}, as a phone on a slow line. Each page was",
        f"measured {RUNS} times; the run with the middle LCP counts.",
        f"Browser and shop shared {os.cpu_count()} {platform.machine()} cores of `benchmarkIndex`",
        f"{index:.0f}, the best of three runs. By Lighthouse's calculator a phone takes",
        f"{slowdown(index)} times as long, so processor time counts {slowdown(index)}-fold.",
        "The last column is the index with each page: lower, the machine was busy meanwhile.",
        "",
    ]


def table(results: dict[str, dict[str, float]]) -> list[str]:
    columns = ["page", *AIMS, *METRICS, INDEX]
    return [
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *(f"| {name} | {' | '.join(map(str, one.values()))} |" for name, one in results.items()),
        f"| aim | {' | '.join(map(str, [*AIMS.values(), *LIMITS.values()]))} | | |",
    ]


def parts(late: dict[str, Report]) -> list[str]:
    """What a late page's LCP consists of."""
    lines = []
    for name, report in late.items():
        phases = report["audits"]["largest-contentful-paint-element"]["details"]["items"][1]
        words = (f"{one['phase']} {one['timing']:.0f}" for one in phases["items"])
        lines.append(f"- LCP of {name}, in ms: {', '.join(words)}")
    return ["", *lines] if lines else []


if __name__ == "__main__":
    sys.exit(main())
