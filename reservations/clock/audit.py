"""Checks the invariants I1 to I6 and W1 to W8 (`docs/how-it-works.md`) in one consistent
snapshot."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from allo.postgresql import timeouts
from allo.postgresql.auditing import Finding, audit
from inventory.locks import locking
from inventory.models import Inventory
from reservations.clock import audit_runs
from reservations.models import AuditRun, Repair, Reservation
from reservations.waiting import audit as waiting

# Each returns (row, found, expected) for every row that breaks the invariant.
CHECKS = {
    "I1": """
        SELECT 'inventory ' || id, 'reserved ' || reserved_units, '0 to ' || total_units
        FROM inventory_inventory WHERE NOT reserved_units BETWEEN 0 AND total_units
    """,
    "I2": """
        SELECT 'inventory ' || i.id, 'reserved ' || i.reserved_units, 'held ' || coalesce(r.held, 0)
        FROM inventory_inventory i
        LEFT JOIN (SELECT inventory_id, sum(quantity) AS held FROM reservations_reservation
                   WHERE status = 'pending' GROUP BY inventory_id) r ON r.inventory_id = i.id
        WHERE i.reserved_units <> coalesce(r.held, 0)
    """,
    "I3": """
        SELECT 'inventory ' || i.id, 'total ' || i.total_units, 'ledger ' || coalesce(m.units, 0)
        FROM inventory_inventory i
        LEFT JOIN (SELECT inventory_id, sum(delta) AS units FROM inventory_stockmovement
                   GROUP BY inventory_id) m ON m.inventory_id = i.id
        WHERE i.total_units <> coalesce(m.units, 0)
    """,
    "I4": """
        SELECT 'reservation ' || id, status || ' at ' || coalesce(ended_at::text, 'no time'),
               'a final state and its time'
        FROM reservations_reservation WHERE (status = 'pending') <> (ended_at IS NULL)
    """,
    # Only a whole audit compares all sales with all movements. A sale and its movement are written
    # in one transaction: if one is before `since` and the other after, they are only moments apart.
    "I5": """
        SELECT 'reservation ' || coalesce(r.id, m.reference), coalesce(r.status, 'no reservation')
               || ', sold ' || coalesce(m.units, 0) || ' in ' || coalesce(m.lines, 0),
               CASE WHEN r.status = 'confirmed' THEN 'sold ' || -r.quantity || ' in 1'
                    ELSE 'no sold movement' END
        FROM (SELECT * FROM reservations_reservation
              WHERE status = 'confirmed'
                  AND ended_at >= %(since)s::timestamptz - interval '1 hour') r
        FULL JOIN (SELECT reference, sum(delta) AS units, count(*) AS lines,
                          min(inventory_id) AS inventory_id, max(created_at) AS created_at
                   FROM inventory_stockmovement
                   WHERE reason = 'sold'
                       AND created_at >= %(since)s::timestamptz - interval '1 hour'
                   GROUP BY reference) m
             ON m.reference = r.id
        WHERE greatest(r.ended_at, m.created_at) >= %(since)s
            AND (r.id IS NULL OR m.reference IS NULL
                OR m.lines <> 1 OR m.units <> -r.quantity OR m.inventory_id <> r.inventory_id)
    """,
    "I6": """
        SELECT 'key ' || min(id), count(*) || ' answers', '1 answer'
        FROM reservations_idempotencykey GROUP BY client, endpoint, key HAVING count(*) > 1
    """,
    **waiting.CHECKS,
}


def audit_stock(since: datetime | None = None) -> list[Finding]:
    """Every row that breaks an invariant. Must not be called inside a transaction."""
    return audit(CHECKS, since, {})


def run_audit(*, whole: bool = True) -> AuditRun:
    """Audits, and stores the result for staff."""
    return audit_runs.keep(AuditRun.Books.STOCK, audit_stock, whole=whole)


@transaction.atomic
def repair_reserved() -> list[Repair]:
    """Sets `reserved_units` to the sum of the pending holds, and records each correction.

    Totals, movements and reservations are not changed: they are the record. Raises IntegrityError
    if more units are held than exist, which only staff can resolve.
    """
    timeouts.lift()
    pending = Reservation.objects.pending().filter(inventory=OuterRef("pk")).order_by()
    sums = pending.values("inventory").annotate(units=Sum("quantity")).values("units")
    rows = Inventory.objects.annotate(held=Coalesce(Subquery(sums), 0)).exclude(
        reserved_units=F("held")
    )
    suspects = list(rows.values_list("pk", flat=True))
    # Lock every row first, then sum the holds: a sum that was read before the lock may be out of
    # date.
    list(locking(suspects))
    wrong = rows.filter(pk__in=suspects).values_list("pk", "reserved_units", "held")
    repairs = [Repair(inventory_id=pk, found=found, held=held) for pk, found, held in wrong]
    for repair in repairs:
        Inventory.objects.filter(pk=repair.inventory_id).update(reserved_units=repair.held)
    return Repair.objects.bulk_create(repairs)
