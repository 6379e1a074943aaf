"""How the shop connects."""

import json
import os
import subprocess
import sys

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from allo.postgresql.parameters import TCP, merged
from tests.running import PROJECT

CURSORS = "SELECT count(*) FROM pg_cursors"
LIMITS = {"lock_timeout": 2000, "statement_timeout": 15000}


def test_a_server_that_vanished_is_given_up_after_seconds() -> None:
    assert merged({}, LIMITS) == {
        "connect_timeout": 2,
        "tcp_user_timeout": 3000,
        "keepalives": 1,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "options": "-c lock_timeout=2000 -c statement_timeout=15000",
    }


def test_parameters_of_the_url_win_and_none_is_lost() -> None:
    given = {
        "connect_timeout": 9, "target_session_attrs": "read-write",
        "options": "-c search_path=shop -c lock_timeout=700",
    }  # fmt: skip
    params = merged(given, LIMITS)
    assert params["target_session_attrs"] == "read-write"
    assert params["connect_timeout"] == 9
    assert params["tcp_user_timeout"] == TCP["tcp_user_timeout"]
    with psycopg.connect(os.environ["DATABASE_URL"], options=params["options"]) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("search_path", "lock_timeout", "statement_timeout")
        ]
    assert shown == [("shop",), ("700ms",), ("15s",)]


SHOW = """
import json; from django.db import connection; cursor = connection.cursor(); shown = {}
for name in (
    "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "search_path"
):
    cursor.execute(f"SHOW {name}"); shown[name] = cursor.fetchone()[0]
print(json.dumps(shown))
"""


def settings_of(query: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    url = os.environ["DATABASE_URL"] + query
    return subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", SHOW],
        cwd=PROJECT, env=os.environ | {"DATABASE_URL": url} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "environment", "shown"),
    [
        ("", {}, ("2s", "3s", "10s", '"$user", public')),
        ("", {"LOCK_TIMEOUT_MS": "4000"}, ("4s", "5s", "10s", '"$user", public')),
        ("-c transaction_timeout=9000 -c search_path=shop", {}, ("2s", "9s", "10s", "shop")),
    ],
)
def test_the_shop_connects_with_its_limits_and_the_urls(options, environment, shown) -> None:
    query = f"&options={options.replace(' ', '%20').replace('=', '%3D')}" if options else ""
    done = settings_of(query, **environment)
    assert done.returncode == 0, done.stderr
    assert tuple(json.loads(done.stdout).values()) == shown


def test_a_transaction_timeout_below_the_lock_timeout_is_refused_at_start() -> None:
    done = settings_of(TRANSACTION_TIMEOUT_MS="2000")
    assert done.returncode == 1
    assert "TRANSACTION_TIMEOUT_MS is 2000: a transaction that waits for a lock" in done.stderr


@pytest.mark.django_db
def test_no_result_stays_on_the_server() -> None:
    rows = ContentType.objects.iterator(chunk_size=1)
    next(rows)
    with connection.cursor() as cursor:
        assert cursor.execute(CURSORS).fetchone() == (0,)
