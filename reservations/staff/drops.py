"""A drop in numbers: what became of its units since the opening."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, Now

from allo.live.rooms.answers import Numbers
from catalog.models import Product
from inventory.models import Inventory
from reservations.admission import room_numbers
from reservations.engine import refused
from reservations.models import Reservation

Status = Reservation.Status

# Later ends are everyday business, and may be many.
LASTS = timedelta(days=7)
LATELY = timedelta(minutes=1)

REASONS = {
    "not_in_shop": "it was taken out of the shop",
    "not_open": "too early",
    "waiting_room": "the waiting room had not let them in",
    "insufficient_stock": "too few were left",
    "limit_reached": "a limit was reached",
    "cooling_down": "the shopper cools down",
    "already_held": "held some already",
    "waiting_list": "those on the waiting list come first",
    "price_changed": "the price had changed",
    "busy": "too many at once",
}


@dataclass(frozen=True, slots=True)
class Ends:
    """Units in all, and in the last minute."""

    units: int = 0
    lately: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    total: int
    held: int
    paying: int
    ends: Mapping[str, Ends]
    # By reason, the most frequent first; None if it is not known.
    refused: list[tuple[str, int]] | None
    room: Numbers | None

    @property
    def free(self) -> int:
        return self.total - self.held

    @property
    def refusals(self) -> int:
        return sum(number for _, number in self.refused or ())


def live(product: Product) -> Live:
    rows = list(Inventory.objects.filter(product=product))
    return Live(
        total=sum(row.total_units for row in rows),
        held=sum(row.reserved_units for row in rows),
        paying=_paying(rows),
        ends=_ends(product, rows),
        refused=_refused(product),
        room=room_numbers(product),
    )


def _paying(rows: list[Inventory]) -> int:
    """Units on open orders."""
    held = Reservation.objects.pending().filter(inventory__in=rows, paying_since__isnull=False)
    return int(held.aggregate(units=Coalesce(Sum("quantity"), 0))["units"])


def _ends(product: Product, rows: list[Inventory]) -> dict[str, Ends]:
    assert product.opens_at
    ended = Reservation.objects.ended().filter(
        inventory__in=rows,
        ended_at__gte=product.opens_at,
        ended_at__lt=product.opens_at + LASTS,
    )
    lately: dict[str, Any] = {"filter": Q(ended_at__gt=Now() - LATELY)}
    by_status = ended.order_by().values("status")
    sums = by_status.annotate(units=Sum("quantity"), lately=Coalesce(Sum("quantity", **lately), 0))
    found = {row["status"]: Ends(row["units"], row["lately"]) for row in sums}
    return {str(status): found.get(status, Ends()) for status in Reservation.FINAL}


def _refused(product: Product) -> list[tuple[str, int]] | None:
    assert product.opens_at
    found = refused.of(product.pk, product.opens_at)
    if found is None:
        return None
    by_number = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(REASONS.get(code, code.replace("_", " ")), number) for code, number in by_number]
