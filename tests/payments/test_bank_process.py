"""What the bank's process refuses: to start in production, and calls that make no sense."""

import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from urllib.error import HTTPError

import pytest

from checkout.bank.books import Books
from tests.bank import HOOK_SECRET, KEY
from tests.running import PROJECT

READY = {"BANK_SECRET": KEY, "BANK_WEBHOOK_SECRET": HOOK_SECRET}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (READY | {"PRODUCTION": "1"}, "does not run in PRODUCTION"),
        (READY | {"PRODUCTION": "yes"}, "does not run in PRODUCTION"),
        ({}, "needs BANK_SECRET and BANK_WEBHOOK_SECRET"),
        (READY | {"BANK_PORT": "80x"}, "BANK_PORT=80x is not a port."),
        (READY | {"BANK_PORT": "{taken}"}, "Address already in use"),
    ],
)
def test_it_does_not_start(bank, tmp_path, environment, said) -> None:
    environment = {name: text.format(taken=bank.port) for name, text in environment.items()}
    done = subprocess.run(
        [sys.executable, "-m", "checkout.bank"], cwd=PROJECT, capture_output=True, text=True,
        env={"STATE_DIR": str(tmp_path)} | environment, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr


def test_books_of_another_version_are_kept_aside(tmp_path, caplog) -> None:
    path = tmp_path / "bank.sqlite3"
    Books(path).set_fault("slow", 1)
    assert Books(path).faults() == {"slow": 1}
    assert not caplog.messages
    with closing(sqlite3.connect(path)) as earlier:
        earlier.execute("ALTER TABLE move DROP COLUMN currency")
    assert Books(path).faults() == {}
    assert Books(path).rows("move", currency="inr") == []
    [aside] = tmp_path.glob("bank-until-*.sqlite3")
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT id FROM fault").fetchall() == [("slow",)]
    [said] = caplog.messages
    assert aside.name in said


SESSION = (
    "mode=payment&success_url=http://a.example/&cancel_url=http://a.example/"
    "&line_items[0][quantity]=1&line_items[0][price_data][currency]=inr"
    "&line_items[0][price_data][product_data][name]=x"
)
COSTS = "&line_items[0][price_data][unit_amount]="


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("v1/checkout/sessions", SESSION + COSTS + "100", 200),
        ("v1/checkout/sessions", SESSION, 400),
        ("v1/checkout/sessions", SESSION + COSTS + "0", 400),
        ("v1/checkout/sessions", SESSION + COSTS + "-5", 400),
        ("v1/checkout/sessions", SESSION + COSTS + "9" * 30, 400),
        ("v1/checkout/sessions", SESSION + COSTS + "100&expires_at=1", 400),
        ("v1/checkout/sessions", SESSION + COSTS + "100&success_url=javascript:x", 400),
        ("v1/checkout/sessions", SESSION + COSTS + "100&metadata[0]=x", 400),
        ("v1/checkout/sessions", SESSION + COSTS + "100&metadata[a][b]=x", 400),
        ("v1/checkout/sessions", "line_items=x", 400),
        ("v1/checkout/sessions", "line_items[0]=x", 400),
        ("v1/checkout/sessions", "a=1&a[b]=2", 400),
        ("v1/checkout/sessions", "a[b][c][d][e][f][g]=2", 400),
        ("v1/checkout/sessions", "&".join(["a=1"] * 1001), 400),
        ("v1/checkout/sessions", b"\xff=\xff", 400),
        ("v1/checkout/sessions", "", 400),
        ("v1/payment_intents", "amount=1&currency=inr&confirm=true", 400),
        ("v1/payment_intents/pi_x/confirm", "payment_method=pays", 404),
        ("v1/refunds", "payment_intent=pi_x&amount=1", 404),
        ("v1/nothing", "", 404),
        ("control/faults", "{", 400),
        ("control/faults", "[]", 400),
        ("control/faults", '{"slow": "x"}', 400),
        ("control/faults", '{"hooks": ["lose"]}', 400),
        ("control/faults", '{"unknown": true}', 400),
        ("control/sessions/x/pay", '{"way": "card"}', 404),
        ("control/intents/x/lapse", "{}", 404),
        ("control/moves?what=x", None, 400),
        ("control/nothing", "{}", 404),
    ],
)
def test_bad_calls_are_refused_and_none_makes_it_fail(bank, path, body, status) -> None:
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(  # noqa: S310
        f"{bank.url}/{path}", data, {"Authorization": f"Bearer {KEY}", "Idempotency-Key": path}
    )
    bank.control("forget-keys")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answered = response.status
    except HTTPError as error:
        answered = error.code
        error.close()
    assert answered == status
