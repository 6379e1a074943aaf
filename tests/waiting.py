"""People who wait for what is on the shelves."""

from typing import Any

from inventory.models import Inventory
from reservations.models import Reservation, WaitingEntry
from reservations.waiting import services


def joined(row: Inventory, name: str = "asha", quantity: int = 1, **more: Any) -> WaitingEntry:
    """Somebody joins the list of the row's product, with a confirmed address."""
    wanted = {"exactly": False, "warehouse_id": None, "network": "", "confirmed": True, **more}
    wanted.setdefault("email", f"{name}@example.org")
    return services.join(product_id=row.product_id, quantity=quantity, **wanted)


def now(entry: WaitingEntry) -> tuple[str, int | None]:
    """What became of it, and how many units it was offered."""
    found = services.get(entry_id=entry.pk)
    return found.state.value, found.offered_units


def offer_of(entry: WaitingEntry) -> Reservation:
    offer = services.get(entry_id=entry.pk).offer
    assert offer is not None
    return offer


def needs(row: Inventory) -> int:
    return Inventory.objects.get(pk=row.pk).list_needs
