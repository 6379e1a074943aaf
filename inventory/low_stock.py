"""Sends staff an e-mail when a row becomes low, once each time.

Run by the clock, not by the sale, which must stay fast.
"""

import logging
from uuid import uuid4

from django.conf import settings
from django.core.mail import send_mail
from django.db.models.functions import Now

from inventory.models import Inventory, LowStock

logger = logging.getLogger(__name__)

ROWS_NAMED = 100


def watch() -> int:
    """Finds rows that are low now, and mails staff those not mailed before; returns how many
    rows."""
    low = Inventory.objects.low()
    LowStock.objects.exclude(inventory__in=low).delete()
    LowStock.objects.bulk_create(
        [LowStock(inventory=row) for row in low.filter(lowstock=None)], ignore_conflicts=True
    )
    return _tell() if settings.STAFF_EMAILS else 0


def _tell() -> int:
    """A claim is one statement and committed before the mail is sent, so that only one of two
    workers sends it. The claim of a worker that died expires."""
    claim = uuid4()
    if not LowStock.objects.unclaimed().update(claim=claim, claimed_at=Now()):
        return 0
    claimed = LowStock.objects.filter(claim=claim)
    lows = claimed.select_related("inventory__product", "inventory__warehouse")
    rows = [low.inventory for low in lows]
    try:
        send_mail(_subject(rows), _letter(rows), None, settings.STAFF_EMAILS)
    except Exception as error:
        logger.warning("low-stock mail was not sent: %s", type(error).__name__)
        claimed.update(claim=None, claimed_at=None)
        return 0
    claimed.update(notified_at=Now())
    return len(rows)


def _subject(rows: list[Inventory]) -> str:
    return f"Low stock: {rows[0]}" if len(rows) == 1 else f"Low stock: {len(rows)} rows"


def _letter(rows: list[Inventory]) -> str:
    named = sorted(rows, key=lambda row: (row.total_units, str(row)))[:ROWS_NAMED]
    lines = [
        f"{row}: {row.total_units} left, {row.reserved_units} of them held"
        f" (low from {row.low_stock_threshold})"
        for row in named
    ]
    if len(rows) > len(named):
        lines.append(f"and {len(rows) - len(named)} more")
    return "\n".join(lines) + "\n"
