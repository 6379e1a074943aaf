"""The stock room's pages, with what is held of each row."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.models import Inventory
from inventory.staff import stock_admin
from reservations.availability import holds_of, with_live_holds
from reservations.models import ReservationQuerySet

HOLDS_SHOWN = 50


@admin.register(Inventory)
class InventoryAdmin(stock_admin.InventoryAdmin):
    list_display = (*stock_admin.InventoryAdmin.list_display, "live_holds")
    fields = (
        ("product", "warehouse"),
        ("total_units", "reserved_units", "available", "live_holds"),
        "low_stock_threshold",
    )
    readonly_fields = ("available", "live_holds")
    export_columns = {**stock_admin.InventoryAdmin.export_columns, "live holds": "live_holds"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Inventory]:
        return with_live_holds(super().get_queryset(request))

    @admin.display
    def live_holds(self, row: Inventory) -> int:
        return row.live_holds

    def holds_of(self, row: Inventory) -> ReservationQuerySet:
        return holds_of(row)

    def page_context(self, request: HttpRequest, row: Inventory) -> dict[str, Any]:
        return {**super().page_context(request, row), "holds": holds_of(row)[:HOLDS_SHOWN]}
