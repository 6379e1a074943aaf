from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.flags import flag
from allo.admin_kit.pages import with_back
from catalog.templatetags.money import inr
from reservations.models import Reservation, StaffAction
from reservations.staff.acting import HoldActions, is_live
from reservations.staff.console import order_of, search_of, state_of
from reservations.staff.filters import ProductFilter, StateFilter, suggestions
from reservations.staff.trends_page import TrendsPage


class ReservationAdmin(
    TrendsPage, HoldActions, StreamedExport[Reservation], ReadOnlyAdmin[Reservation]
):
    """The console: current reservations, each with the verbs that staff may use.

    `checkout.staff.reservations_admin` adds the buyer and registers it."""

    change_list_template = "admin/reservations/reservation/change_list.html"
    list_display: tuple[str, ...] = (
        "short_id", "product", "warehouse", "quantity", "who", "ends", "state",
    )  # fmt: skip
    list_filter = (StateFilter, "inventory__warehouse", ProductFilter)
    list_select_related: ClassVar[tuple[str, ...]] = ("inventory__product", "inventory__warehouse")
    search_fields = ("pk",)
    search_help_text = "Id or its first 8 characters, product, holder or user name"
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    fields: ClassVar[Any] = (
        "id", "state", "product", "warehouse", "quantity", "unit_price", "total", "holder",
        "address",
        "created_at", "expires_at", "ended_at", "renewals", "staff_did",
    )  # fmt: skip
    export_columns = {
        "id": "id",
        "product": "inventory.product.slug",
        "warehouse": "inventory.warehouse.code",
        "name": "name",
        "quantity": "quantity",
        "unit price (paise)": "unit_paise",
        "total (paise)": "total_paise",
        "status": "status",
        "holder": "holder",
        "created": "created_at",
        "expires": "expires_at",
        "ended": "ended_at",
    }

    # --- the list -------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return Reservation.objects.with_stock()

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return order_of(state_of(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found = search_of(request)
        return (queryset.filter(found.condition) if found else queryset), False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, *self.do_columns(request)]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The whole page, or only its rows when htmx refreshes them."""
        more = {"title": "Reservations", **(extra_context or {})}
        response = super().changelist_view(request, more)
        if request.headers.get("HX-Request") and isinstance(response, TemplateResponse):
            response.template_name = "admin/reservations/reservation/_rows.html"
        return response

    @admin.display(description="Id")
    def short_id(self, row: Reservation) -> SafeString:
        return format_html('<span class="code">{}</span>', row.short_id)

    @admin.display
    def product(self, row: Reservation) -> str:
        return row.name

    @admin.display
    def warehouse(self, row: Reservation) -> str:
        return row.inventory.warehouse.name

    @admin.display(description="Holder")
    def who(self, row: Reservation) -> SafeString:
        """The holder, shortened, with a link to all of its reservations."""
        kind, _, name = row.holder.partition(":")
        address = f"?{urlencode({'q': row.holder})}"
        return format_html('<a href="{}">{} {}</a>', address, kind, name[:8])

    @admin.display
    def ends(self, row: Reservation) -> SafeString:
        if row.ended_at:
            return _time(row.ended_at.timestamp(), row.ended_at.isoformat(), row.ended_at, "")
        return _time(
            row.expires_at.timestamp(), row.expires_at.isoformat(), row.expires_at, "data-until"
        )

    @admin.display
    def state(self, row: Reservation) -> SafeString:
        if is_live(row):
            return flag("live", "live")
        if row.is_pending:
            return flag("past its time", "bad")
        if row.withdrawn:
            return flag(f"released by staff: {row.get_withdrawn_display().lower()}", "")
        return flag(row.status, "good" if row.status == Reservation.Status.CONFIRMED else "")

    # --- one of them ----------------------------------------------------------------------------

    @admin.display
    def unit_price(self, row: Reservation) -> str:
        return inr(row.unit_paise)

    @admin.display
    def total(self, row: Reservation) -> str:
        return inr(row.total_paise)

    @admin.display(description="What staff did")
    def staff_did(self, row: Reservation) -> SafeString | str:
        done = StaffAction.objects.filter(reservation=row).select_related("actor")
        lines = format_html_join(
            "",
            "<li><strong>{}</strong> {} <span class=quiet>{}, {}</span></li>",
            ((a.get_action_display(), _what(a), a.actor, _shown(a.created_at)) for a in done),
        )
        return format_html('<ul class="log-lines">{}</ul>', lines) if lines else "Nothing"

    def page_context(self, request: HttpRequest, row: Reservation) -> dict[str, Any]:
        release_all = with_back(request, self.address("release"), holder=row.holder)
        return {
            **super().page_context(request, row),
            "title": "Reservation",
            "subtitle": f"{row.what}, {row.short_id}",
            "holder_url": self.address("changelist", q=row.holder),
            "release_all_url": release_all if "release" in self.allowed(request) else "",
            "show_close": False,
        }

    # --- suggestions ----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        names = self.admin_site.admin_view(self.names)
        suggest = path("products/", names, name="reservations_reservation_products")
        return [suggest, *super().get_urls()]

    def names(self, request: HttpRequest) -> HttpResponse:
        """Suggestions of products for the filter."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponse(suggestions(request.GET.get("product", "")))


def _what(action: StaffAction) -> str:
    minutes = f"by {action.minutes} min: " if action.minutes else ""
    return f"{minutes}{action.reason}"


def _shown(moment: datetime) -> str:
    return f"{localtime(moment):%-d %b, %H:%M:%S}"


def _time(seconds: float, iso: str, moment: Any, until: str) -> SafeString:
    attribute = format_html(' {}="{}"', until, f"{seconds:.3f}") if until else ""
    return format_html('<time datetime="{}"{}>{}</time>', iso, attribute, _shown(moment))
