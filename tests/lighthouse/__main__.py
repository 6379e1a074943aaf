"""`make lighthouse`: Google's Lighthouse, as a phone, on pages of the real shop.

Needs npm, from which Lighthouse comes; the shop itself does not. Writes RESULTS.md beside this
file, and exits 1 if a score is below its aim.

Lighthouse multiplies a page's processor time by a number that stands for a phone if the machine is
a fast desktop. It is chosen for each run by how fast this machine was in the one before, and a run
counts if the machine was about as fast in it: a shared one may be half as fast a minute later.
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
from operator import itemgetter
from pathlib import Path
from typing import Any

from tests.browser.install import ensure
from tests.running import Shop, running_shop, wait_for

Report = dict[str, Any]

AIMS = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
# Of each page. The run in the middle by performance and LCP counts, as runs of one page differ by a
# tenth.
RUNS = 5
# By what part the machine may be faster or slower than expected in a run that counts. After so many
# runs of a page the nearest ones count.
NEAR, MOST_RUNS = 0.1, 10
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
# How fast Lighthouse finds the machine with each page, and how many times slower it made it.
INDEX, TIMES = "benchmarkIndex", "times"
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
        reports = {
            name: report_on(browser, shop.url + path, "" if path in PUBLIC else cookie)
            for name, path in (PAGES | {"checkout": checkout}).items()
        }
    results = {name: result_of(report) for name, report in reports.items()}
    late = {name: report for name, report in reports.items() if results[name]["LCP, s"] > LCP}
    lines = [*heading(reports["grid"]), *table(results), *parts(late)]
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


def slowdown(index: float) -> float:
    found = (times + (index - least) / more for least, times, more in SLOWDOWNS if index >= least)
    return round(next(found, 1), 2)


def report_on(browser: Path, url: str, cookie: str) -> Report:
    shown = [f"--extra-headers={json.dumps({'Cookie': cookie})}"] if cookie else []
    report = sorted(counted(browser, url, shown), key=slowness)[RUNS // 2]
    for audit in report["audits"].values():
        if audit["score"] is not None and audit["score"] < 0.9:
            print(f"{url}: {audit['id']} {audit['score']} {audit.get('displayValue', '')}")
    return report


def counted(browser: Path, url: str, shown: list[str]) -> list[Report]:
    """RUNS in which the machine was as fast as it was expected to be."""
    runs: list[tuple[float, Report]] = []
    index = index_of(lighthouse(browser, url, *shown, "--only-audits=viewport"))
    options = [*shown, f"--only-categories={','.join(AIMS)}"]
    options += [f"--skip-audits={PRIVATE}"] if shown else []
    while len(runs) < MOST_RUNS and sum(off <= NEAR for off, _ in runs) < RUNS:
        times = f"--throttling.cpuSlowdownMultiplier={slowdown(index)}"
        report = lighthouse(browser, url, *options, times)
        expected, index = index, index_of(report)
        runs.append((abs(index / expected - 1), report))
    runs.sort(key=itemgetter(0))
    return [report for _, report in runs[:RUNS]]


def index_of(report: Report) -> float:
    return float(report["environment"][INDEX])


def slowness(report: Report) -> tuple[float, float]:
    lcp = report["audits"][METRICS["LCP, s"][0]]["numericValue"]
    return -report["categories"]["performance"]["score"], lcp


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
    times = report["configSettings"]["throttling"]["cpuSlowdownMultiplier"]
    return scores | metrics | {INDEX: round(index_of(report)), TIMES: times}


def heading(report: Report) -> list[str]:
    return [
        "# What `make lighthouse` measured",
        "",
        f"Lighthouse {report['lighthouseVersion']}, as a phone on a slow line. Browser and shop",
        f"shared {os.cpu_count()} {platform.machine()} cores. Of {RUNS} runs of each page the one",
        "in the middle by performance and LCP counts. Processor time is multiplied by",
        f"`{TIMES}`, as Lighthouse's calculator has it for a machine of this `{INDEX}`.",
        f"A run was repeated if the machine was more than {NEAR:.0%} faster or slower in it, up to",
        f"{MOST_RUNS} runs of a page.",
        "",
    ]


def table(results: dict[str, dict[str, float]]) -> list[str]:
    columns = ["page", *AIMS, *METRICS, INDEX, TIMES]
    return [
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *(f"| {name} | {' | '.join(map(str, one.values()))} |" for name, one in results.items()),
        f"| aim | {' | '.join(map(str, [*AIMS.values(), *LIMITS.values()]))} | | | |",
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
