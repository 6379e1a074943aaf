"""`python -m checkout.bank`; its settings are in the environment, as `make up` gives them."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from checkout.bank.bank import Bank
from checkout.bank.books import Books
from checkout.bank.hooks import start_sending
from checkout.bank.server import HOST, Server

OFF = {"", "0", "false", "off", "no"}


def main(environ: Mapping[str, str]) -> int:
    if environ.get("PRODUCTION", "").lower() not in OFF:
        return refuse("The bank is simulated, so it does not run in PRODUCTION.")
    if not environ.get("BANK_SECRET") or not environ.get("BANK_WEBHOOK_SECRET"):
        return refuse("The bank needs BANK_SECRET and BANK_WEBHOOK_SECRET.")
    port = environ.get("BANK_PORT") or "8002"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return refuse(f"BANK_PORT={port} is not a port.")
    logging.basicConfig(level=environ.get("LOG_LEVEL") or "INFO", format="%(asctime)s %(message)s")
    # Its books hold addresses of mail.
    os.umask(0o077)
    bank = Bank(
        books=Books(Path(environ.get("STATE_DIR") or "var") / "bank.sqlite3"),
        url=f"http://{HOST}:{port}",
        key=environ["BANK_SECRET"],
        hook_url=environ.get("SHOP_HOOK_URL", ""),
        hook_secret=environ["BANK_WEBHOOK_SECRET"],
        zone=ZoneInfo(environ.get("TIME_ZONE") or "Asia/Kolkata"),
    )
    with Server(bank, int(port)) as server:
        start_sending(bank)
        server.serve_forever()
    return 0


def refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(os.environ))
    except OSError as error:
        sys.exit(f"The bank cannot start: {error}")
