"""How stock comes in: under the row's lock, and each change with its line in the ledger."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from inventory.locks import locking
from inventory.models import Inventory, StockMovement


@transaction.atomic
def receive(
    *,
    inventory_id: int,
    units: int,
    reason: StockMovement.Reason = StockMovement.Reason.RECEIVED,
    actor: User | None = None,
    note: str = "",
) -> StockMovement:
    """Raises `Inventory.DoesNotExist`; the database refuses what would break the books."""
    row = locking([inventory_id]).get()
    Inventory.objects.filter(pk=row.pk).update(total_units=F("total_units") + units)
    return StockMovement.objects.create(
        inventory=row, delta=units, reason=reason, actor=actor, note=note
    )
