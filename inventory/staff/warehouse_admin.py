from django.contrib import admin
from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.html import format_html

from allo.admin_kit.base import Kept, QuickPaginator
from inventory.models import Inventory, StockMovement, Warehouse


@admin.register(Warehouse)
class WarehouseAdmin(Kept[Warehouse]):
    list_display = ("name", "code", "position", "days_to_arrive")
    list_editable = ("position",)
    search_fields = ("name", "code")

    def in_the_way(self, row: Warehouse) -> list[str]:
        rows = Inventory.objects.filter(warehouse=row)
        found = rows.aggregate(places=Count("pk"), units=Sum("total_units"))
        if not found["places"]:
            return []
        lines = QuickPaginator(StockMovement.objects.filter(inventory__warehouse=row), 1).count
        inventory = reverse("admin:inventory_inventory_changelist")
        return [
            format_html(
                "{} has a place for {} ({} in stock), and the ledger has {} about it, which are"
                ' kept for good. <a href="{}?warehouse__id__exact={}">See its inventory</a>: move'
                " or write off what is there, and shoppers can reserve nothing from it.",
                row,
                _counted(found["places"], "product"),
                _counted(found["units"], "unit"),
                _counted(lines, "line"),
                inventory,
                row.pk,
            )
        ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
