"""What a load balancer and a person on call want to know."""

from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis import RedisError

from allo.http.address import met_unknown
from allo.redis_client import redis_client
from reservations.models import Sweep


def report() -> dict[str, Any]:
    """`ready` says whether to send requests here. Neither Redis nor the sweep is needed for that:
    without them the shop still sells, and expires what it touches."""
    try:
        database = {"database": "ok", "unapplied_migrations": _unapplied(), **_sweep()}
    except DatabaseError as error:
        database = {"database": type(error).__name__}
    ready = database.get("unapplied_migrations") == 0
    return {"ready": ready, **database, "redis": _redis(), "warnings": _warnings()}


def _warnings() -> list[str]:
    """What does not keep this process from serving, and should not stay as it is."""
    if not met_unknown():
        return []
    return ["The addresses of some clients cannot be known, and share the limits of one network."]


def _unapplied() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _sweep() -> dict[str, float | None]:
    last = Sweep.objects.order_by("-finished_at").first()
    age = (timezone.now() - last.finished_at).total_seconds() if last else None
    return {"last_sweep_seconds_ago": age}


def _redis() -> str:
    try:
        redis_client().ping()
    except RedisError as error:
        return type(error).__name__
    return "ok"
