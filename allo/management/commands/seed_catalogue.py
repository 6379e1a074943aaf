from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from allo.postgresql import timeouts
from catalog import seeding
from catalog.models import Product
from inventory.adjustments import Adjustment
from inventory.models import Inventory, StockMovement, Warehouse
from inventory.services import apply

# By the first part of a warehouse's code: its city, and the days until a parcel arrives.
CITIES = {
    "blr": ("Bengaluru", 3),
    "del": ("Delhi", 4),
    "mum": ("Mumbai", 3),
    "hyd": ("Hyderabad", 4),
}
# A batch is one transaction: after any failure the next run continues from there.
BATCH = 25


class Command(BaseCommand):
    help = "Fills an empty shop with its catalogue; run again, it adds only what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=seeding.FOLDER)

    def handle(self, *, folder: Path, **options: Any) -> None:
        try:
            items = seeding.read(folder)
            wanted = seeding.missing(items)
            seeding.check(wanted)
        except seeding.SeedError as error:
            raise CommandError(str(error)) from error
        warehouses = self._warehouses(items, wanted)
        for start in range(0, len(wanted), BATCH):
            self._seed(wanted[start : start + BATCH], warehouses)
            done = min(start + BATCH, len(wanted))
            self.stdout.write(f"Catalogue: {done} of {len(wanted)} products")
        if not wanted:
            self.stdout.write(f"Catalogue: all {len(items)} products are there")

    def _warehouses(
        self, items: list[seeding.Item], wanted: list[seeding.Item]
    ) -> dict[str, Warehouse]:
        """Those of what is wanted alone, as staff may have given another its own code."""
        codes = dict.fromkeys(code for item in items for code in item.stock)
        used = {code for item in wanted for code in item.stock}
        places = [(place, code) for place, code in enumerate(codes) if code in used]
        return {code: _warehouse(place, code) for place, code in places}

    @transaction.atomic
    def _seed(self, items: list[seeding.Item], warehouses: dict[str, Warehouse]) -> None:
        timeouts.lift()
        seeding.plant(items)
        products = Product.objects.in_bulk([item.slug for item in items], field_name="slug")
        rows = Inventory.objects.bulk_create(
            Inventory(product=products[item.slug], warehouse=warehouses[code])
            for item in items
            for code in item.stock
        )
        counted = (units for item in items for units in item.stock.values())
        opening = [
            Adjustment(row.pk, units, StockMovement.Reason.OPENING)
            for row, units in zip(rows, counted, strict=True)
            if units
        ]
        apply(adjustments=opening)


def _warehouse(position: int, code: str) -> Warehouse:
    name, days = CITIES.get(code.partition("-")[0], (code, None))
    given = {"name": name, "position": position, "days_to_arrive": days}
    warehouse, _ = Warehouse.objects.get_or_create(code=code, defaults=given)
    return warehouse
