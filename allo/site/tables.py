"""What `/metrics` reads from the database: one statement, compiled once. Each part is bounded."""

from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet

from allo.outbox.models import Delivery, Message, Told, Webhook
from checkout import unsettled
from reservations.models import AuditRun, Reservation, Sweep, WaitingEntry

MOST_OVERDUE, MOST_PLACES = 1000, 10_000

UNITS = "SELECT coalesce(sum({}), 0) FROM inventory_inventory"
COUNT = "SELECT count(*) FROM ({}) AS found"
AGE = "SELECT extract(epoch FROM clock_timestamp() - ({}))"
OR_NONE = "SELECT coalesce(({}), 0)"
GREATER = "SELECT greatest(({}), ({}))"
LENGTH = "SELECT jsonb_array_length(({}))"

# SQL of one value, and its parameters.
Sql = tuple[str, tuple[Any, ...]]
# The value of a metric, and of its label if it has one.
Name = tuple[str, str]

# By metric: what it is, and its label.
TABLES: dict[str, tuple[str, str]] = {
    "allo_units": ("Units in all warehouses.", "state"),
    "allo_overdue_holds": ("Holds that are past their time.", ""),
    "allo_overdue_seconds": ("How late the oldest of them is.", ""),
    "allo_sweep_age_seconds": ("Since the last sweep.", ""),
    "allo_sweep_lateness_seconds": ("Its latest expiry.", ""),
    "allo_audit_age_seconds": ("Since the last audit.", "books"),
    "allo_audit_findings": ("What the last audit found.", "books"),
    "allo_waiting_entries": ("Places on waiting lists.", ""),
    "allo_mail_late_seconds": ("Age of the oldest late mail.", ""),
    "allo_delivery_late_seconds": ("Age of the oldest late event of a webhook.", ""),
    "allo_webhooks_paused": ("Webhooks that were paused.", ""),
    "allo_money_unsettled": ("Money that people have to look at.", "what"),
}


def _sql(rows: QuerySet[Any, Any]) -> Sql:
    text, values = rows.query.sql_with_params()
    return str(text), tuple(values)


def _few(rows: QuerySet[Any], most: int = unsettled.MOST) -> Sql:
    text, values = _sql(rows.order_by().values("pk")[:most])
    return COUNT.format(text), values


def _age(rows: QuerySet[Any], column: str) -> Sql:
    """Of the first of these; null if there is none."""
    text, values = _sql(rows.values(column)[:1])
    return AGE.format(text), values


def _late(rows: QuerySet[Any], column: str) -> Sql:
    """As `_age`, 0 if there is none."""
    text, values = _age(rows, column)
    return OR_NONE.format(text), values


def _later(one: Sql, other: Sql) -> Sql:
    return GREATER.format(one[0], other[0]), one[1] + other[1]


def _last_audit(books: str) -> QuerySet[AuditRun]:
    return AuditRun.objects.filter(books=books).order_by("-pk")


def _findings(books: str) -> Sql:
    text, values = _sql(_last_audit(books).values("findings")[:1])
    return LENGTH.format(text), values


def _overdue() -> QuerySet[Reservation]:
    return Reservation.objects.due().order_by("expires_at")


def _sweeps() -> QuerySet[Sweep]:
    return Sweep.objects.order_by("-finished_at")


def _of_books(books: str) -> dict[Name, Sql]:
    return {
        ("allo_audit_age_seconds", books): _age(_last_audit(books), "finished_at"),
        ("allo_audit_findings", books): _findings(books),
    }


def questions() -> dict[Name, Sql]:
    return {
        ("allo_units", "held"): (UNITS.format("reserved_units"), ()),
        ("allo_units", "available"): (UNITS.format("total_units - reserved_units"), ()),
        ("allo_overdue_holds", ""): _few(_overdue(), MOST_OVERDUE),
        ("allo_overdue_seconds", ""): _late(_overdue(), "expires_at"),
        ("allo_sweep_age_seconds", ""): _age(_sweeps(), "finished_at"),
        ("allo_sweep_lateness_seconds", ""): _sql(_sweeps().values("max_lateness_seconds")[:1]),
        **_of_books(AuditRun.Books.STOCK),
        **_of_books(AuditRun.Books.MONEY),
        ("allo_waiting_entries", ""): _few(WaitingEntry.objects.open(), MOST_PLACES),
        ("allo_mail_late_seconds", ""): _late(Message.objects.late(), "created_at"),
        ("allo_delivery_late_seconds", ""): _later(
            _late(Delivery.objects.late(), "created_at"), _late(Told.objects.late(), "created_at")
        ),
        ("allo_webhooks_paused", ""): _few(Webhook.objects.kept().filter(~Q(paused_at=None))),
        ("allo_money_unsettled", "charges"): _few(unsettled.late_charges()),
        ("allo_money_unsettled", "refunds"): _few(unsettled.late_refunds()),
        ("allo_money_unsettled", "failed_refunds"): _few(unsettled.failed_refunds()),
        ("allo_money_unsettled", "disputed"): _few(unsettled.disputed_charges()),
        ("allo_money_unsettled", "wrong"): _few(unsettled.wrong_charges()),
    }


@lru_cache(maxsize=1)
def statement() -> tuple[list[Name], str, tuple[Any, ...]]:
    """It returns one row, with a column for each name."""
    asked = questions()
    columns = ", ".join(f"({text})" for text, _ in asked.values())
    return [*asked], f"SELECT {columns}", tuple(it for _, some in asked.values() for it in some)
