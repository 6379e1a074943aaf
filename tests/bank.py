"""The bank's process, for tests: the real one, on a free port, with books of its own."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from checkout.payments.stripe import Stripe
from tests.running import PATIENCE, PROJECT, free_port, wait_for

KEY, HOOK_SECRET = "sk_of_the_tests", "whsec_of_the_tests"


@dataclass
class BankProcess:
    folder: Path
    hook_url: str = ""
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = os.environ | {
            "BANK_PORT": str(self.port), "BANK_SECRET": KEY, "BANK_WEBHOOK_SECRET": HOOK_SECRET,
            "SHOP_HOOK_URL": self.hook_url, "STATE_DIR": str(self.folder),
        }  # fmt: skip
        with (self.folder / "bank.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "checkout.bank"], cwd=PROJECT, env=environment, stdout=log,
                stderr=log,
            )  # fmt: skip
        wait_for(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "bank.log").read_text()
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=30):  # noqa: S310
            return True
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def provider(self, **more: Any) -> Stripe:
        return Stripe(
            **{
                "name": "bank", "key": KEY, "hook_secret": HOOK_SECRET, "api": self.url,
                "origin": self.url, "proxies": False, "seconds": 30, **more,
            }
        )  # fmt: skip

    # --- its controls -----------------------------------------------------------------------

    def control(self, path: str, **given: Any) -> Any:
        return self._call(path, json.dumps(given).encode())

    def books(self, table: str, **values: str) -> list[dict[str, Any]]:
        """The rows of a table, the latest first; `values` as `checkout.bank.control.read` says."""
        found: list[dict[str, Any]] = self._call(f"{table}s?{urlencode(values)}", None)
        return found

    def moves(self, reference: str) -> list[tuple[str, int]]:
        """What happened to the money of an intent, in order."""
        rows = self.books("move", intent=reference)[::-1]
        return [(row["what"], row["amount"]) for row in rows]

    def faults(self, **faults: Any) -> None:
        self.control("faults", **faults)

    @contextmanager
    def fault(self, **faults: Any) -> Iterator[None]:
        self.faults(**faults)
        try:
            yield
        finally:
            self.faults(**dict.fromkeys(faults))

    def _call(self, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/control/{path}", body, {"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            return json.loads(response.read())


@contextmanager
def running_bank(hook_url: str = "") -> Iterator[BankProcess]:
    with tempfile.TemporaryDirectory(prefix="allo-bank-") as folder:
        bank = BankProcess(Path(folder), hook_url)
        bank.start()
        try:
            yield bank
        finally:
            bank.kill()
