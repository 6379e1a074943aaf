"""Packing slips: one for each parcel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checkout.models import Order, OrderLine
from checkout.orders.parcels import in_parcels
from checkout.orders.showing import Shown
from checkout.staff.order_forms import kept, left_of, parcels_of
from inventory.models import Warehouse


@dataclass(frozen=True, slots=True)
class Slip:
    """`lines` are those of one warehouse, each with its units, and how many of these were refunded.
    Without prices, as the parcel may be a present, but for what is collected on delivery."""

    order: Order
    warehouse: Warehouse
    lines: list[tuple[OrderLine, int, int]]
    parcel: int
    parcels: int
    collect_paise: int

    @property
    def region(self) -> str:
        return Shown(self.order).region


def slips_of(orders: Sequence[Order]) -> Iterator[Slip]:
    for order in orders:
        parcels = parcels_of(order)
        for number, (warehouse, lines) in enumerate(parcels.items(), start=1):
            units = [(line, units, max(units - kept(line), 0)) for line, units in in_parcels(lines)]
            collect = left_of(order) if is_on_delivery(order) else 0
            yield Slip(order, warehouse, units, number, len(parcels), collect)


def is_on_delivery(order: Order) -> bool:
    """Paid on delivery; from the payments that were read with it."""
    return any(payment.provider == "none" for payment in order.payments.all())
