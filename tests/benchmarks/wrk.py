"""The load generator wrk: installed, or Debian's package unpacked beside the project."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".browser" / "wrk"
SCRIPT = Path(__file__).with_name("post.lua")
PACKAGES = ("wrk", "libluajit-5.1-2")
CONNECTIONS, THREADS = 32, 2


@dataclass(frozen=True)
class Load:
    seconds: float
    p50: float
    p99: float
    lost: int
    statuses: dict[str, int]

    @property
    def per_second(self) -> float:
        return (self.statuses.get("201", 0) + self.statuses.get("200", 0)) / self.seconds

    @property
    def others(self) -> int:
        """Responses that are neither a hold nor a proper refusal, and calls without a response."""
        honest = sum(self.statuses.get(status, 0) for status in ("201", "409", "503"))
        return sum(self.statuses.values()) - honest + self.lost


def find() -> list[str] | None:
    """The command, or None if wrk is missing and cannot be fetched (with apt-get)."""
    if found := shutil.which("wrk"):
        return [found]
    if not (FOLDER / "usr/bin/wrk").exists() and shutil.which("apt-get"):
        _unpack()
    if not (FOLDER / "usr/bin/wrk").exists():
        return None
    libraries = ":".join(str(path) for path in (FOLDER / "usr/lib").glob("*"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(FOLDER / "usr/bin/wrk")]


def _unpack() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _quietly("apt-get", "update", "-qq")
    _quietly("apt-get", "download", *PACKAGES)
    for package in FOLDER.glob("*.deb"):
        _quietly("dpkg-deb", "-x", package.name, ".")


def _quietly(*command: str) -> None:
    subprocess.run(command, cwd=FOLDER, capture_output=True, check=False)


def run(command: list[str], url: str, *, products: int, seconds: float) -> Load:
    """Posts to the address for one of that many products each time; 0 products: gets it."""
    done = subprocess.run(
        [
            *command, f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{max(round(seconds), 1)}s",
            "--timeout", "10s", "-s", str(SCRIPT), url, "--", str(products),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return Load(**json.loads(line.removeprefix("RESULT ")))
