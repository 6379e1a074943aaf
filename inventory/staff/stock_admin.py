from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.forms import ModelChoiceField, TextInput
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from catalog.models import Product
from inventory.models import (
    Inventory,
    LowStock,
    StockMovement,
)
from inventory.shortages import Shortage
from inventory.staff.acting import StockActions
from inventory.staff.filters import (
    StockFilter,
)
from inventory.staff.first_stock import FirstStockPage
from inventory.staff.ledger import with_balances

Row = TypeVar("Row", bound=Model)

LAST_MOVEMENTS = 20


class FoundByProduct(Searched[Row]):
    """A list with the products' search; `search_fields` names the relation to the product."""

    def found(self, words: str) -> Q:
        (product,) = self.search_fields
        return Q(**{f"{product}__in": Product.objects.for_staff(words).values("pk")})


class InventoryAdmin(
    FoundByProduct[Inventory],
    FirstStockPage,
    StockActions,
    StreamedExport[Inventory],
    ReadOnlyAdmin[Inventory],
):
    """Totals are never typed: they change through `inventory.services`, with a reason.

    `reservations.staff.stock_admin` adds what is held of each row, and registers it."""

    change_list_template = "admin/inventory/inventory/change_list.html"
    list_display: tuple[str, ...] = (
        "product", "warehouse", "total_units", "reserved_units", "available", "low_stock_threshold",
    )  # fmt: skip
    list_filter = (StockFilter, "warehouse", "product__category")
    list_select_related = ("product", "warehouse")
    search_fields = ("product",)
    fields: ClassVar[Any] = (
        ("product", "warehouse"),
        ("total_units", "reserved_units", "available"),
        "low_stock_threshold",
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("available",)
    export_columns = {
        "product": "product.slug",
        "name": "product.name",
        "warehouse": "warehouse.code",
        "total": "total_units",
        "reserved": "reserved_units",
        "available": "available",
        "low from": "low_stock_threshold",
    }

    class Media:
        css = {"all": ("css/admin/stock.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Inventory]:
        return Inventory.objects.with_available().with_shortage()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, *self.do_columns(request)]

    @admin.display(ordering="available")
    def available(self, row: Inventory) -> SafeString | int:
        if not row.shortage:
            return row.available
        return format_html("{} {}", row.available, flag(Shortage(row.shortage).label.lower()))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Adding makes an empty row; units are then received into it."""
        return request.user.has_perm("inventory.receive_stock")

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        """A text field for the slug: there may be too many products for a list, and Django's search
        widget needs JavaScript."""
        if db_field.name != "product":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        return ModelChoiceField(
            Product.objects.order_by("slug"),
            to_field_name="slug",
            widget=TextInput,
            help_text="Its slug, such as tidal.",
            error_messages={"invalid_choice": "No product has this slug."},
        )

    def get_fields(self, request: HttpRequest, obj: Inventory | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ("product", "warehouse")

    def page_context(self, request: HttpRequest, row: Inventory) -> dict[str, Any]:
        movements = StockMovement.objects.filter(inventory=row).select_related("actor")
        return {
            **super().page_context(request, row),
            "movements": with_balances(row.pk, list(movements[:LAST_MOVEMENTS])),
        }


@admin.register(LowStock)
class LowStockAdmin(FoundByProduct[LowStock], ReadOnlyAdmin[LowStock]):
    list_display = ("inventory", "since", "notified_at")
    list_select_related = ("inventory__product", "inventory__warehouse")
    search_fields = ("inventory__product",)
