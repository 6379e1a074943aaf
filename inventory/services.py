"""How staff change stock: under the row's lock, and each change with its line in the ledger."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from inventory.locks import locking
from inventory.models import Inventory, StockMovement

Reason = StockMovement.Reason


def open_stock(*, inventory_id: int, units: int, note: str = "") -> StockMovement:
    """The first line of a row's ledger: what was there when the shop began to count."""
    return _change(inventory_id, units, Reason.OPENING, None, note)


def receive(
    *, inventory_id: int, units: int, actor: User | None = None, note: str = ""
) -> StockMovement:
    return _change(inventory_id, units, Reason.RECEIVED, actor, note)


@transaction.atomic
def _change(
    inventory_id: int, delta: int, reason: StockMovement.Reason, actor: User | None, note: str
) -> StockMovement:
    """Raises `Inventory.DoesNotExist`, and IntegrityError below what is reserved."""
    row = locking([inventory_id]).get()
    Inventory.objects.filter(pk=row.pk).update(total_units=F("total_units") + delta)
    return StockMovement.objects.create(
        inventory=row, delta=delta, reason=reason, actor=actor, note=note
    )
