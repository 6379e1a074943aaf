"""The admin's pages of drops: products with an opening, and the numbers of each."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from catalog.models import Drop
from inventory.availability import with_stock
from reservations.staff.drops import LASTS, live


@admin.register(Drop)
class DropAdmin(ReadOnlyAdmin[Drop]):
    """Visible to all who may see reservations."""

    change_form_template = "admin/catalog/drop/change_form.html"
    list_display = ("name", "opens", "state", "units", "free")
    search_fields = ("name",)
    sortable_by = ()
    fields = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reservations.view_reservation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Drop]:
        drops: QuerySet[Drop] = with_stock(Drop.objects.all())
        return drops

    @admin.display
    def opens(self, row: Drop) -> SafeString:
        assert row.opens_at
        shown = f"{localtime(row.opens_at):%-d %b %Y, %H:%M}"
        return format_html('<time datetime="{}">{}</time>', row.opens_at.isoformat(), shown)

    @admin.display
    def state(self, row: Drop) -> SafeString:
        if not row.is_published:
            return flag("not in the shop")
        return flag("opens later") if row.opens_later else flag("open", "good")

    @admin.display
    def units(self, row: Drop) -> int:
        return row.total

    @admin.display
    def free(self, row: Drop) -> int:
        return row.available

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        """The whole page, or only its numbers when htmx refreshes them."""
        response: HttpResponse = super().changeform_view(request, *args, **more)
        if request.headers.get("HX-Request") and isinstance(response, TemplateResponse):
            response.template_name = "admin/catalog/drop/_live.html"
        return response

    def page_context(self, request: HttpRequest, row: Drop) -> dict[str, Any]:
        return {
            **super().page_context(request, row),
            "title": row.name,
            "live": live(row),
            "days_left": row.seconds_to_opening // 86_400,
            "preview": row.opens_later or not row.is_published,
            "days": LASTS.days,
        }
