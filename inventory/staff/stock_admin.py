from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, ForeignKey, Model, Q, QuerySet, Sum
from django.forms import ModelChoiceField, TextInput
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from allo.admin_kit.base import Kept, ModelAdmin, QuickPaginator, ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.flags import flag
from catalog.models import Product
from inventory.models import (
    Inventory,
    LowStock,
    StockImport,
    StockImportRow,
    StockMovement,
    Warehouse,
)
from inventory.shortages import Shortage
from inventory.staff.acting import StockActions
from inventory.staff.filters import (
    ActorFilter,
    DayFilter,
    ProductFilter,
    RowFilter,
    StockFilter,
    rows_of_product,
)
from inventory.staff.import_pages import ImportPages
from inventory.staff.ledger import Ledger, account_of, with_balances

Row = TypeVar("Row", bound=Model)

LAST_MOVEMENTS = 20


@admin.register(Warehouse)
class WarehouseAdmin(Kept[Warehouse]):
    list_display = ("name", "code", "position")
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


class FoundByProduct(ModelAdmin[Row]):
    """A list with the products' search; `search_fields` names the relation to the product."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        if not search_term.strip():
            return queryset, False
        (product,) = self.search_fields
        found = Product.objects.for_staff(search_term).values("pk")
        return queryset.filter(**{f"{product}__in": found}), False


class InventoryAdmin(
    FoundByProduct[Inventory], StockActions, StreamedExport[Inventory], ReadOnlyAdmin[Inventory]
):
    """Totals are never typed: they change through `inventory.services`, with a reason.

    Registered a layer above, with what is held of each row: `reservations.staff.stock_admin`."""

    change_list_template = "admin/inventory/inventory/change_list.html"
    list_display: tuple[str, ...] = (
        "product", "warehouse", "total_units", "reserved_units", "available", "low_stock_threshold",
    )  # fmt: skip
    list_filter = ("warehouse", "product__category", StockFilter)
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


@admin.register(StockMovement)
class StockMovementAdmin(StreamedExport[StockMovement], ReadOnlyAdmin[StockMovement]):
    list_filter = (
        ProductFilter,
        "inventory__warehouse",
        "reason",
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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockMovement], search_term: str
    ) -> tuple[QuerySet[StockMovement], bool]:
        words = search_term.strip().replace("\0", "")
        if not words:
            return queryset, False
        try:
            # Each kind of reference has a partial index of its own.
            sold, reference = Q(reason="sold"), Q(reference=UUID(words))
            return queryset.filter((sold & reference) | (~sold & reference)), False
        except ValueError:
            return queryset.filter(inventory__in=rows_of_product(words)), False

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


@admin.register(StockImport)
class StockImportAdmin(ImportPages, ReadOnlyAdmin[StockImport]):
    list_display = ("file_name", "state", "row_count", "error_count", "actor", "created_at")
    list_filter = ("state",)
    list_select_related = ("actor",)
    search_fields = ("file_name",)
    fields = (
        ("file_name", "actor", "created_at"),
        ("state", "row_count", "error_count", "applied_at"),
    )

    class Media:
        css = {"all": ("css/admin/stock.css",)}


@admin.register(StockImportRow)
class StockImportRowAdmin(ReadOnlyAdmin[StockImportRow]):
    list_display = ("stock_import_id", "line", "product", "warehouse", "delta", "reason", "error")
    ordering = ("-pk",)
    search_fields = ("=product",)


@admin.register(LowStock)
class LowStockAdmin(FoundByProduct[LowStock], ReadOnlyAdmin[LowStock]):
    list_display = ("inventory", "since", "notified_at")
    list_select_related = ("inventory__product", "inventory__warehouse")
    search_fields = ("inventory__product",)
