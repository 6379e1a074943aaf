"""`make lighthouse`: Google's Lighthouse, as a phone, on pages of the real shop.

Needs npm, from which Lighthouse comes; the shop itself does not. Writes RESULTS.md beside this
file, and exits 1 if a score is below its aim.
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

from tests.browser.install import ensure
from tests.running import Shop, running_shop, wait_for

AIMS = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
# At most; `METRICS` are Lighthouse's names for them.
LIMITS = {"LCP, s": 1.5, "CLS": 0.0}
METRICS = {"LCP, s": ("largest-contentful-paint", 1000), "CLS": ("cumulative-layout-shift", 1)}
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
# A shopper's own page is not to be indexed, whatever Lighthouse recommends.
PRIVATE = "is-crawlable"


def main() -> int:
    if not shutil.which("npx"):
        sys.exit("make lighthouse needs npm, from which Lighthouse comes.")
    browser = ensure()
    with running_shop(RESERVATION_TTL_SECONDS="3600") as shop:
        cookie, checkout = hold(shop)
        wait_for(lambda: has_every_size(shop), seconds=600)
        results = {
            name: measured(browser, shop.url + path, "" if path in PUBLIC else cookie)
            for name, path in (PAGES | {"checkout": checkout}).items()
        }
    RESULTS.write_text("\n".join(table(results)) + "\n")
    print(RESULTS.read_text())
    return int(any(missed(result) for result in results.values()))


def has_every_size(shop: Shop) -> bool:
    """Whether the worker has made the pictures' sizes that a first visitor would get."""
    with urllib.request.urlopen(shop.url) as page:  # noqa: S310 - an address of ours
        text = page.read().decode()
    pictures = re.findall(r'<img src="[^"]*/products/[^>]*>', text)
    return bool(pictures) and all("srcset" in picture for picture in pictures)


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


def measured(browser: Path, url: str, cookie: str) -> dict[str, float]:
    flags = FLAGS + (" --no-sandbox" if os.geteuid() == 0 else "")
    command = [
        "npx", "--yes", "lighthouse@12", url, "--quiet", "--output=json",
        f"--only-categories={','.join(AIMS)}", f"--chrome-flags={flags}",
    ]  # fmt: skip
    if cookie:
        headers = json.dumps({"Cookie": cookie})
        command += [f"--extra-headers={headers}", f"--skip-audits={PRIVATE}"]
    environment = os.environ | {"CHROME_PATH": str(browser)}
    output = subprocess.run(
        command, env=environment, capture_output=True, check=True, timeout=180
    ).stdout
    report = json.loads(output)
    for audit in report["audits"].values():
        if audit["score"] is not None and audit["score"] < 0.9:
            print(f"{url}: {audit['id']} {audit['score']} {audit.get('displayValue', '')}")
    scores = {name: round(report["categories"][name]["score"] * 100) for name in AIMS}
    return scores | {
        name: round(report["audits"][audit]["numericValue"] / unit, 2)
        for name, (audit, unit) in METRICS.items()
    }


def table(results: dict[str, dict[str, float]]) -> list[str]:
    return [
        "# What `make lighthouse` measured",
        "",
        f"As a phone; browser and shop shared {os.cpu_count()} {platform.machine()} cores.",
        "",
        f"| page | {' | '.join([*AIMS, *LIMITS])} |",
        "|---" * (1 + len(AIMS) + len(LIMITS)) + "|",
        *(f"| {name} | {' | '.join(map(str, one.values()))} |" for name, one in results.items()),
        f"| aim | {' | '.join(map(str, [*AIMS.values(), *LIMITS.values()]))} |",
    ]


if __name__ == "__main__":
    sys.exit(main())
