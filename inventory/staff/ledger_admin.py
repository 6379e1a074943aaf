from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.search import Searched
from inventory.models import StockMovement
from inventory.staff.filters import (
    ActorFilter,
    DayFilter,
    ProductFilter,
    RowFilter,
    rows_of_product,
)
from inventory.staff.ledger import Ledger, account_of


@admin.register(StockMovement)
class StockMovementAdmin(
    Searched[StockMovement], StreamedExport[StockMovement], ReadOnlyAdmin[StockMovement]
):
    list_filter = (
        "reason",
        ProductFilter,
        "inventory__warehouse",
        ActorFilter,
        DayFilter,
        RowFilter,
    )
    list_select_related = ("inventory__product", "inventory__warehouse", "actor")
    sortable_by = ()
    search_fields = ("reference",)
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

    class Media:
        css = {"all": ("css/admin/stock.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Ledger]:
        return Ledger

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        balance = [] if account_of(request.GET) is None else ["balance"]
        return ["when", "product", "warehouse", "change", *balance, "reason", "actor", "note"]

    def found(self, words: str) -> Q:
        try:
            # Each kind of reference has a partial index of its own.
            sold, reference = Q(reason="sold"), Q(reference=UUID(words))
            return (sold & reference) | (~sold & reference)
        except ValueError:
            return Q(inventory__in=rows_of_product(words))

    @admin.display
    def when(self, line: StockMovement) -> str:
        return date_format(localtime(line.created_at), "j M Y, H:i:s")

    @admin.display
    def change(self, line: StockMovement) -> str:
        return f"{line.delta:+d}"

    @admin.display
    def product(self, line: StockMovement) -> str:
        return str(line.inventory.product)

    @admin.display
    def warehouse(self, line: StockMovement) -> str:
        return str(line.inventory.warehouse)

    @admin.display
    def balance(self, line: StockMovement) -> int:
        return line.balance
