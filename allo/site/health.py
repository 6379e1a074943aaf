"""Health checks for load balancers and people on call."""

import time
from typing import Any

from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis import RedisError

from allo.outbox.models import Message
from allo.postgresql import answers, base
from allo.postgresql.faults import Fault, fault_of
from allo.redis_client import redis_client
from allo.web.address import met_unknown
from checkout.unsettled import unsettled
from reservations.models import Sweep

# transaction_timeout is null on servers older than PostgreSQL 17.
SERVER = """
    SELECT current_setting('transaction_read_only'), current_setting('transaction_timeout', true)
"""
UNLIMITED = (None, "0")
FREEZES = (
    "The database sets no limit to a transaction (transaction_timeout, of PostgreSQL 17 and newer),"
    " so a process that freezes keeps its locks for 10 seconds or longer."
)
WAITS = "Commits wait for a standby that does not answer: nothing is sold."
# With work_mem at 64 kB the server writes this megabyte to a temporary file, then drops it.
LITTLE_MEMORY = "SET LOCAL work_mem = '64kB'"
WRITE_A_MEGABYTE = "SELECT count(*) FROM generate_series(1, 40000)"
# In seconds. Failed writes count too: tables may be on another disk than temporary files.
STORAGE_FAILURE_COUNTS = 30.0


def report() -> dict[str, Any]:
    """`ready` says whether to send requests here. It needs neither Redis nor the sweep: without
    them the shop still sells, and expires the reservations that it reads."""
    warnings = _warnings()
    try:
        warnings += _money()
        waits = _commits_wait()
        warnings += [WAITS] if waits else []
        # No transaction begins meanwhile, and pages that only read go on.
        facts = {**_server(), "storage": "ok" if waits else _storage()}
        facts |= {"unapplied_migrations": _unapplied(), **_sweep(), **_mail()}
        warnings += [FREEZES] if facts["transaction_timeout"] in UNLIMITED else []
    except Error as error:
        facts = {"database": type(error).__name__}
    ready = facts["database"] == facts.get("storage") == "ok" and not facts["unapplied_migrations"]
    return {"ready": ready, **facts, "redis": _redis(), "warnings": warnings}


def _warnings() -> list[str]:
    """Problems that do not keep this process from serving, but need attention."""
    if not met_unknown():
        return []
    return ["The addresses of some clients cannot be known, and share the limits of one network."]


def _money() -> list[str]:
    found = unsettled()
    if not found.late:
        return []
    refunds = found.asked + found.failed
    said = f"Money has not settled within 15 minutes: charges {found.charges}, refunds {refunds}."
    return [f"{said} The front page of the admin leads to them."]


def _commits_wait() -> bool:
    with connection.cursor() as cursor:
        return answers.commits_wait(cursor.connection)


def _server() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(SERVER)
        read_only, limit = cursor.fetchone()
    database = "read only" if read_only == "on" else "ok"
    return {"database": database, "transaction_timeout": limit}


def _storage() -> str:
    if time.monotonic() - base.storage_failed_at < STORAGE_FAILURE_COUNTS:
        return "full"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LITTLE_MEMORY)
            cursor.execute(WRITE_A_MEGABYTE)
    except Error as error:
        if fault_of(error) is not Fault.STORAGE:
            raise
        return "full"
    return "ok"


def _unapplied() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _sweep() -> dict[str, float | None]:
    last = Sweep.objects.order_by("-finished_at").first()
    age = (timezone.now() - last.finished_at).total_seconds() if last else None
    return {"last_sweep_seconds_ago": age}


def _mail() -> dict[str, float | None]:
    late = Message.objects.late().first()
    age = (timezone.now() - late.created_at).total_seconds() if late else None
    return {"mail_late_seconds": age}


def _redis() -> str:
    try:
        redis_client().ping()
    except RedisError as error:
        return type(error).__name__
    return "ok"
