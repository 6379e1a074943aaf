"""What is in the parcels of an order: the units of its lines, without those that were refunded and
put back on the shelf before their parcel left."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

from checkout.models import OrderLine
from inventory.models import StockMovement

# The namespace of the references of `returned` movements.
RETURNED = UUID("5d0b4c0e-8f5e-4b0c-9a58-2f1f0f6f7c11")


# A line, and how many of its units are in a parcel.
Units = tuple[OrderLine, int]


class Parcel(NamedTuple):
    carrier: str
    tracking: str
    lines: list[Units]


def in_parcels(lines: Iterable[OrderLine]) -> list[Units]:
    """Each line that is in a parcel, with its units there. A line whose units were all put back is
    in none."""
    found = list(lines)
    left = [line for line in found if line.shipped_at and line.returned_units]
    back = put_back(left, before_they_left=True) if left else Counter[int]()
    units = (
        line.quantity - (back[line.pk] if line.shipped_at else line.returned_units)
        for line in found
    )
    return [(line, number) for line, number in zip(found, units, strict=True) if number]


def that_left(packed: Iterable[Units]) -> list[Parcel]:
    """The parcels that have left, one of each warehouse."""
    found: dict[int, list[Units]] = {}
    for line, units in packed:
        if line.carrier or line.tracking:
            found.setdefault(place_of(line), []).append((line, units))
    return [Parcel(lines[0][0].carrier, lines[0][0].tracking, lines) for lines in found.values()]


def place_of(line: OrderLine) -> int:
    """Its warehouse, by the key: two may have the same name."""
    return line.reservation.inventory.warehouse_id


def put_back(lines: Sequence[OrderLine], *, before_they_left: bool = False) -> Counter[int]:
    """The units of each line that were put back, by the ledger."""
    of = {reference(line, before): line for line in lines for before in range(line.quantity)}
    rows = [line.reservation.inventory_id for line in lines]
    moves = StockMovement.objects.filter(
        inventory__in=rows, reason=StockMovement.Reason.RETURNED, reference__in=of
    )
    back = Counter[int]()
    for name, delta, at in moves.values_list("reference", "delta", "created_at"):
        assert name
        line = of[name]
        if not before_they_left or (line.shipped_at and at < line.shipped_at):
            back[line.pk] += delta
    return back


def reference(line: OrderLine, before: int) -> UUID:
    """Of the movement that puts units of the line back after `before` others."""
    return uuid5(RETURNED, f"{line.pk}:{before}")
