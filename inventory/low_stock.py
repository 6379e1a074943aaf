"""Writes a mail to staff, and an event for webhooks, when a row becomes low, once each time.

Run by the clock, not by the sale, which must stay fast.
"""

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from allo.outbox import services as outbox
from allo.outbox.hooks import writing
from inventory.models import Inventory, LowStock

ROWS_NAMED = 100
NOTE = """
    INSERT INTO inventory_lowstock (inventory_id) SELECT unnest(%s::bigint[])
    ON CONFLICT DO NOTHING RETURNING inventory_id
"""
TOLD = """
    SELECT row.id AS n, 'stock.low' AS kind, 'stock:' || row.id AS subject,
        clock_timestamp() AS at, jsonb_build_object(
            'product', product.slug, 'name', product.name, 'warehouse', warehouse.code,
            'total_units', row.total_units, 'reserved_units', row.reserved_units,
            'available', row.total_units - row.reserved_units, 'low_from', row.low_stock_threshold
        ) AS data
    FROM inventory_inventory AS row
    JOIN catalog_product AS product ON product.id = row.product_id
    JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
    WHERE row.id = ANY(%s::bigint[])
"""


def watch() -> int:
    """Finds rows that have become low, and writes to staff about them; returns how many."""
    low = Inventory.objects.low()
    LowStock.objects.exclude(inventory__in=low).delete()
    _note([row.pk for row in low.filter(lowstock=None)])
    return _notify() if settings.STAFF_EMAILS else 0


@transaction.atomic
def _note(rows: list[int]) -> None:
    """Only one of two workers writes the row and its event."""
    if rows:
        with connection.cursor() as cursor:
            new = cursor.execute(NOTE, [rows]).fetchall()
        writing.write(TOLD, [[row for (row,) in new]])


@transaction.atomic
def _notify() -> int:
    # Locked until the mail is written in the same transaction, so that only one of two workers
    # writes it.
    rows = LowStock.objects.filter(notified_at=None).select_for_update(
        of=("self",), skip_locked=True
    )
    lows = list(rows.select_related("inventory__product", "inventory__warehouse").order_by("pk"))
    if not lows:
        return 0
    # No other mail is about this row and this time.
    key = f"low_stock:{lows[0].pk}:{lows[0].since.isoformat()}"
    context = _context([low.inventory for low in lows])
    for to in settings.STAFF_EMAILS:
        outbox.put(key=f"{key}:{to}"[:200], kind="low_stock", to=to, context=context)
    LowStock.objects.filter(pk__in=[low.pk for low in lows]).update(notified_at=Now())
    return len(lows)


def _context(rows: list[Inventory]) -> dict[str, Any]:
    named = sorted(rows, key=lambda row: (row.total_units, str(row)))[:ROWS_NAMED]
    lines = [
        {
            "name": str(row),
            "left": row.total_units,
            "held": row.reserved_units,
            "low_from": row.low_stock_threshold,
        }
        for row in named
    ]
    return {"count": len(rows), "rows": lines, "more": len(rows) - len(named)}
