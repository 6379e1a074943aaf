"""What tests put on the shelves."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone

from catalog.models import Category, Product
from inventory import locks
from inventory.models import Inventory, StockMovement, Warehouse
from reservations.models import Reservation
from tests.running import PATIENCE

Result = TypeVar("Result")


def stocked(units: int, *, product: str = "tidal", warehouse: str = "blr-01") -> Inventory:
    """An inventory row with this many units, put there through the ledger."""
    category, _ = Category.objects.get_or_create(name="Vases", slug="vases")
    shelf, _ = Warehouse.objects.get_or_create(code=warehouse, defaults={"name": warehouse})
    item, _ = Product.objects.get_or_create(
        slug=product,
        defaults={
            "name": product.title(),
            "category": category,
            "tagline": "A vase",
            "price_paise": 385_000,
            "image": "products/tidal.webp",
            "width": 800,
            "height": 1000,
            "alt": "A vase",
            "published_at": timezone.now(),
        },
    )
    row = Inventory.objects.create(
        product=item, warehouse=shelf, total_units=units, run_units=units
    )
    if units:
        StockMovement.objects.create(inventory=row, delta=units, reason="opening")
    return row


def units(row: Inventory) -> tuple[int, int]:
    """In all, and held."""
    row.refresh_from_db()
    return row.total_units, row.reserved_units


def reprice(row: Inventory, paise: int, name: str = "Tidal") -> None:
    """Staff change what one costs, and is called."""
    Product.objects.filter(pk=row.product_id).update(price_paise=paise, name=name)


def pass_time(seconds: float, **which: object) -> None:
    """Time passes for pending reservations: the database's clock stays, their times move."""
    ago = timedelta(seconds=seconds)
    Reservation.objects.pending().filter(**which).update(
        created_at=F("created_at") - ago, expires_at=F("expires_at") - ago
    )


def without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the negative controls of races take away: the rows are read as they are."""

    def unlocked(ids: Iterable[int], *, skip_locked: bool = False) -> QuerySet[Inventory]:
        return Inventory.objects.filter(pk__in=ids).order_by("pk")

    monkeypatch.setattr(locks, "locking", unlocked)


def all_at_once(callers: int, call: Callable[[int], Result]) -> list[Result | Exception]:
    """What `callers` threads, each with a connection of its own, got from calling together."""
    together = Barrier(callers)

    def one(number: int) -> Result | Exception:
        try:
            # Connecting takes longer than the race itself, so it comes before the start.
            connection.ensure_connection()
            together.wait(PATIENCE)
            return call(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(one, range(callers)))
