"""What is held of stock, and when it may come back.

History grows without end, so each row's holds are looked up separately, with conditions that match
the indexes on pending rows: a join would read every reservation ever made."""

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Case, Count, IntegerField, Min, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Now

from allo.live.message import Message
from catalog.models import Product
from inventory import availability
from inventory.availability import Products
from inventory.models import Inventory
from reservations.models import Reservation, ReservationQuerySet

Rows = TypeVar("Rows", bound=QuerySet[Inventory])


def with_next_lapse(rows: Rows) -> Rows:
    """Annotates `next_lapse_at`: when the first hold of the row may lapse; and `read_at`."""
    return rows.annotate(next_lapse_at=Subquery(_ends_of_each()[:1]), read_at=Now())


def with_lapses_added(messages: Sequence[Message]) -> list[Message]:
    """Messages about rows of which nothing is left, with when the first hold of each may lapse, in
    seconds since the epoch."""
    of = {int(message.key): message for message in messages}
    rows = with_next_lapse(Inventory.objects.filter(pk__in=of))
    return [
        of[row.pk].adding(f"{row.next_lapse_at.timestamp():.6f}")
        for row in rows
        if row.next_lapse_at
    ]


def with_live_holds(rows: Rows) -> Rows:
    """Annotates `live_holds`: how many reservations hold units of the row now."""
    live = Reservation.objects.live().filter(inventory=OuterRef("pk")).order_by()
    counted = live.values("inventory").annotate(holds=Count("pk")).values("holds")
    return rows.annotate(live_holds=Coalesce(Subquery(counted, output_field=IntegerField()), 0))


def with_stock_and_lapse(products: Products) -> Products:
    """Annotates `total`, `available` and `run`, units over all warehouses; `stock_rows` and
    `read_at`; and `next_lapse_at`: when the first hold may lapse, for products of which no unit is
    free."""
    lapses = with_next_lapse(availability.rows_of_each()).order_by().values("product")
    first = Subquery(lapses.annotate(first=Min("next_lapse_at")).values("first"))
    return availability.with_rows(availability.with_stock(products)).annotate(
        next_lapse_at=Case(When(~availability.is_free(), then=first))
    )


def shown(keys: Sequence[int]) -> list[Product]:
    """These products in this order, with their stock. Lists are chosen by key first, so that stock
    is summed only for the products shown."""
    products = with_stock_and_lapse(Product.objects.select_related("category")).in_bulk(keys)
    return [products[key] for key in keys if key in products]


def holds_of(row: Inventory) -> ReservationQuerySet:
    """What is reserved of a row, first to lapse first."""
    return Reservation.objects.pending().filter(inventory=row).order_by("expires_at", "pk")


def _ends_of_each() -> QuerySet[Reservation, object]:
    pending = Reservation.objects.pending().filter(inventory=OuterRef("pk"))
    return pending.order_by("expires_at").values("expires_at")
