from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from allo.http.admin import ModelAdmin, ReadOnlyAdmin
from allo.http.export import StreamedExport
from inventory.models import Inventory, StockMovement, Warehouse


@admin.register(Warehouse)
class WarehouseAdmin(ModelAdmin[Warehouse]):
    list_display = ("name", "code", "position")
    list_editable = ("position",)
    search_fields = ("name", "code")
    show_full_result_count = False


@admin.register(Inventory)
class InventoryAdmin(ReadOnlyAdmin[Inventory]):
    """Totals are never typed: they change through `inventory.services`, with a reason."""

    list_display = ("product", "warehouse", "total_units", "reserved_units", "available")
    list_filter = ("warehouse",)
    list_select_related = ("product", "warehouse")
    search_fields = ("product__name", "product__slug")
    fields = ("product", "warehouse", "total_units", "reserved_units", "available")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Inventory]:
        return Inventory.objects.with_available()

    @admin.display(ordering="available")
    def available(self, row: Inventory) -> int:
        return row.available


@admin.register(StockMovement)
class StockMovementAdmin(StreamedExport[StockMovement], ReadOnlyAdmin[StockMovement]):
    export_columns = {
        "when": "created_at",
        "product": "inventory.product.slug",
        "warehouse": "inventory.warehouse.code",
        "change": "delta",
        "reason": "reason",
        "actor": "actor",
        "note": "note",
        "reference": "reference",
    }
    list_display = ("created_at", "inventory", "delta", "reason", "actor", "note")
    list_filter = ("reason", "inventory__warehouse")
    list_select_related = ("inventory__product", "inventory__warehouse", "actor")
    search_fields = ("inventory__product__name", "note", "=reference")
