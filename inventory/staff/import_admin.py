from django.contrib import admin

from allo.admin_kit.base import ReadOnlyAdmin
from inventory.models import StockImport, StockImportRow
from inventory.staff.import_pages import ImportPages


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
