"""Checks of invariants over whole tables, in one consistent snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from allo.postgresql import timeouts

# A time before all others, for PostgreSQL.
EVER = "-infinity"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that breaks an invariant: the value found there, and the value expected."""

    invariant: str
    row: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.row}: found {self.found}, expected {self.expected}"


def audit(
    checks: Mapping[str, str], since: datetime | None, parameters: Mapping[str, Any]
) -> list[Finding]:
    """Every row that breaks an invariant. Each check returns (row, found, expected) for those of
    its invariant; one that would read all history takes `%(since)s` and returns those of what
    happened since then. Must not be called inside a transaction."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # One snapshot for all checks: a sale between two of them would look like an error.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        timeouts.lift()
        known = {**parameters, "since": since.isoformat() if since else EVER}
        return list(findings(cursor, checks, known))


def findings(
    cursor: CursorWrapper, checks: Mapping[str, str], parameters: Mapping[str, Any]
) -> Iterator[Finding]:
    for invariant, check in checks.items():
        cursor.execute(check, parameters)
        for row, found, expected in cursor.fetchall():
            yield Finding(invariant, row, found, expected)
