"""Orders: what is to be packed and sent, and the page of each."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from catalog.templatetags.money import in_rupees, inr
from checkout.models import Charge, Order, OrderLine
from checkout.staff.order_actions import OrderActions
from checkout.staff.order_filters import (
    ProviderFilter,
    StateFilter,
    WarehouseFilter,
    named_order,
    order_of,
    state_of,
)
from checkout.staff.order_forms import contents, parcels_of, waiting_parcels
from checkout.staff.order_page import Dossier, next_step
from checkout.staff.sales_page import SalesPage

KINDS = {"paid": "live", "packed": "live", "delivered": "good", "cancelled": "bad"}
STOCK = "reservation__inventory"
LINES = Prefetch(
    "order_lines",
    OrderLine.objects.select_related(f"{STOCK}__warehouse", f"{STOCK}__product").order_by("pk"),
)


def refunded_of(order: Order) -> int:
    """In paise, with what is on its way back."""
    taken = (row for row in order.charges.all() if row.decision == Charge.Decision.TAKE)
    return sum(charge.refunded_paise for charge in taken)


@admin.register(Order)
class OrderAdmin(
    Searched[Order], OrderActions, SalesPage, StreamedExport[Order], ReadOnlyAdmin[Order]
):
    change_list_template = "admin/checkout/order/change_list.html"
    change_form_template = "admin/checkout/order/change_form.html"
    list_display = ("number", "when", "buyer", "what", "total", "told_state", "refunded")
    list_filter = (StateFilter, WarehouseFilter, ProviderFilter)
    sortable_by = ()
    search_fields = ("number",)
    search_help_text = (
        "Number, invoice number, e-mail, telephone, how a name begins, tracking number, or a"
        " reservation's id"
    )
    fields = (
        "next_step", "told_state", "buyer", "email", "phone", "sent_to", "holder", "account",
        "invoice_number",
    )  # fmt: skip
    export_columns = {
        "number": "number",
        "state": "state",
        "opened": "opened_at",
        "paid": "paid_at",
        "packed": "packed_at",
        "shipped": "shipped_at",
        "delivered": "delivered_at",
        "cancelled": "cancelled_at",
        "name": "name",
        "e-mail": "email",
        "what": lambda order: contents(order.order_lines.all()),
        "total (₹)": lambda order: in_rupees(order.total_paise),
        "shipping (₹)": lambda order: in_rupees(order.shipping_paise),
        "GST in the total (₹)": lambda order: in_rupees(Dossier(order).gst_paise),
        "GST in the shipping (₹)": lambda order: in_rupees(order.shipping_gst_paise),
        "refunded (₹)": lambda order: in_rupees(refunded_of(order)),
    }

    class Media:
        css = {"all": ("css/admin/stock.css", "css/admin/orders.css")}

    # --- the list -------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return Order.objects.all().prefetch_related(LINES, "charges")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return order_of(state_of(request))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, *self.do_columns(request)]

    def found(self, words: str) -> Q:
        return named_order(words)

    @admin.display
    def when(self, order: Order) -> str:
        return f"{localtime(order.paid_at or order.opened_at):%-d %b %Y, %H:%M}"

    @admin.display
    def buyer(self, order: Order) -> str:
        return order.name or "–"

    @admin.display
    def what(self, order: Order) -> str:
        return contents(order.order_lines.all())

    @admin.display
    def total(self, order: Order) -> str:
        return inr(order.total_paise)

    @admin.display
    def refunded(self, order: Order) -> str:
        return inr(paise) if (paise := refunded_of(order)) else "–"

    @admin.display(description="State")
    def told_state(self, order: Order) -> SafeString:
        shown = flag(order.state, KINDS.get(order.state, ""))
        if order.state != Order.State.PACKED:
            return shown
        parcels, waiting = len(parcels_of(order)), len(waiting_parcels(order))
        if parcels == waiting:
            return shown
        return format_html("{} {} of {} sent", shown, parcels - waiting, parcels)

    # --- one of them ----------------------------------------------------------------------------

    @admin.display(description="What to do next")
    def next_step(self, order: Order) -> str:
        return next_step(order)

    @admin.display(description="Goes to")
    def sent_to(self, order: Order) -> str:
        return Dossier(order).address

    def page_context(self, request: HttpRequest, row: Order) -> dict[str, Any]:
        return {
            **super().page_context(request, row),
            "title": f"Order {row}",
            "subtitle": None,
            "dossier": Dossier(row),
            "buyers_url": self.address("changelist", q=row.email) if row.email else "",
            "show_close": False,
        }
