"""Changes of one row at a time, as staff make them: through `inventory.services.apply`."""

from django.contrib.auth.models import User

from inventory import services
from inventory.adjustments import Adjustment
from inventory.exceptions import Refused
from inventory.models import StockMovement

Reason = StockMovement.Reason


def receive(
    *, inventory_id: int, units: int, actor: User | None = None, note: str = ""
) -> StockMovement:
    """Adds delivered units. Raises `Inventory.DoesNotExist`, `Busy`; IntegrityError for a change
    that breaks an invariant."""
    return _one(Adjustment(inventory_id, units, Reason.RECEIVED, note), actor)


def adjust(
    *, inventory_id: int, delta: int, reason: Reason, note: str, actor: User | None = None
) -> StockMovement:
    """A correction, for one of the reasons in `StockMovement.ADJUSTMENTS`. Raises `BelowReserved`,
    `Busy`."""
    assert reason in StockMovement.ADJUSTMENTS
    return _one(Adjustment(inventory_id, delta, reason, note), actor)


def write_off(
    *, inventory_id: int, units: int, note: str, actor: User | None = None
) -> StockMovement:
    """Removes units that are lost for good. Raises `BelowReserved`, `Busy`."""
    return _one(Adjustment(inventory_id, -units, Reason.WRITTEN_OFF, note), actor)


def _one(adjustment: Adjustment, actor: User | None) -> StockMovement:
    try:
        (line,) = services.apply(adjustments=[adjustment], actor=actor)
    except Refused as refused:
        raise refused.errors[0] from None
    return StockMovement.objects.get(pk=line)
