"""pgbouncer in transaction mode between the shop and PostgreSQL, if it is installed."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from allo.embedded.placement import own_folder
from allo.embedded.postgres import APP, DATABASE, ENVIRONMENT
from allo.embedded.processes import Program, launch
from allo.postgresql import timeouts
from reservations.clock.audit import audit_stock
from tests.running import free_port, wait_for
from tests.scale import load
from tests.scale.servers import LOOPBACK, Server, listens, shopping_at, world
from tests.scale.standby import Standing, products, shop_on, silence_table

SECONDS, ROUNDS = 5.0, 2
CONFIGURATION = """
[databases]
{database} = host={host} port={there} dbname={database}
[pgbouncer]
listen_addr = {host}
listen_port = {here}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
max_prepared_statements = 200
default_pool_size = 40
ignore_startup_parameters = options
"""
# What the shop's own connections have, though the pooler drops what they set.
LIMITS = ("lock_timeout", "statement_timeout", "transaction_timeout")


def report(folder: Path) -> Iterator[str]:
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer")
    if program is None:
        yield "Not run: there is no pgbouncer here. `PGBOUNCER` names one."
        return
    with world(folder) as here:
        server = here.primary()
        direct = here.url(server)
        with shopping_at(direct):
            slugs = products()
            timeouts.keep_with_role(connection)
        with pooling(program, server) as port:
            pooled = re.sub(r":\d+/", f":{port}/", direct)
            rates = [[_rate(url, slugs) for url in (direct, pooled)] for _ in range(ROUNDS)]
            with shopping_at(pooled):
                limits = [_shown(name) for name in LIMITS]
                findings = audit_stock()
            with shop_on(pooled) as web:
                silences = [*silence_table(Standing(server, server, web, slugs))]
    yield f"{_version(program)}, transaction mode, `max_prepared_statements=200`.\n"
    yield "| | direct | through pgbouncer |\n|---|---|---|"
    for rate in rates:
        yield f"| 201 a second | {rate[0]:,.0f} | {rate[1]:,.0f} |"
    named = ", ".join(f"{name} {limit}" for name, limit in zip(LIMITS, limits, strict=True))
    yield f"\nThrough it: {named}. `audit_stock` found {len(findings)} rows out of balance."
    yield "\nThe primary acknowledges nothing, as above, and pgbouncer is well:\n"
    yield from silences


def _rate(url: str, slugs: list[str]) -> float:
    with shop_on(url) as port, load.running([port], slugs) as callers:
        callers.await_successes(50)
        begun = time.monotonic()
        callers.over.wait(SECONDS)
        ended = sum(end > begun for _, end in [*callers.successes]) / (time.monotonic() - begun)
    with shopping_at(url):
        assert callers.broken_promises() == []
    return ended


def _shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


@contextmanager
def pooling(program: str, server: Server) -> Iterator[int]:
    """Its port."""
    place, port = server.world.place, free_port()
    folder = own_folder(place.home / "pgbouncer", place.account)
    ini = folder / "pgbouncer.ini"
    ini.write_text(
        CONFIGURATION.format(
            database=DATABASE, host=LOOPBACK, there=server.port, here=port, folder=folder
        )
    )
    (folder / "users").write_text(f'"{APP}" "{server.world.secrets.app_password}"\n')
    started = Program(
        command=[program, str(ini)], environment=ENVIRONMENT, account=place.account,
        kill_signal=signal.SIGTERM,
    )  # fmt: skip
    with (server.world.logs / "pgbouncer.log").open("wb") as log:
        process = launch(started, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(port), seconds=10)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
