"""`make lighthouse`: Google's Lighthouse, as a phone, on four pages of the real shop.

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
from tests.running import Shop, running_shop

AIMS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
RESULTS = Path(__file__).with_name("RESULTS.md")
FLAGS = (
    "--headless=new --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
# A shopper's own page is not to be indexed, whatever Lighthouse recommends.
PRIVATE = "is-crawlable"


def main() -> int:
    if not shutil.which("npx"):
        sys.exit("make lighthouse needs npm, from which Lighthouse comes.")
    browser = ensure()
    with running_shop(RESERVATION_TTL_SECONDS="3600") as shop:
        cookie, checkout = hold(shop)
        pages = {"grid": "/", "product": "/p/tidal/", "docs": "/docs/", "checkout": checkout}
        scores = {
            name: scored(browser, shop.url + path, cookie if name == "checkout" else "")
            for name, path in pages.items()
        }
    RESULTS.write_text("\n".join(table(scores)) + "\n")
    print(RESULTS.read_text())
    return int(any(score[aim] < AIMS[aim] for score in scores.values() for aim in AIMS))


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


def scored(browser: Path, url: str, cookie: str) -> dict[str, int]:
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
    return {name: round(report["categories"][name]["score"] * 100) for name in AIMS}


def table(scores: dict[str, dict[str, int]]) -> list[str]:
    return [
        "# What `make lighthouse` measured",
        "",
        f"As a phone; browser and shop shared {os.cpu_count()} {platform.machine()} cores.",
        "",
        f"| page | {' | '.join(AIMS)} |",
        "|---" * (1 + len(AIMS)) + "|",
        *(f"| {name} | {' | '.join(map(str, s.values()))} |" for name, s in scores.items()),
        f"| aim | {' | '.join(map(str, AIMS.values()))} |",
    ]


if __name__ == "__main__":
    sys.exit(main())
