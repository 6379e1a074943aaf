"""Orders, their lines, and what happened to them; read-only."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from catalog.templatetags.money import inr
from checkout.models import Order, OrderEvent, OrderLine
from reservations.staff.console import named_id

KINDS = {"open": "live", "paid": "live", "delivered": "good", "cancelled": "bad"}


def of_order(words: str) -> Q:
    """Parts of the order with this number."""
    return Q(order__number=words.upper())


@admin.register(Order)
class OrderAdmin(Searched[Order], ReadOnlyAdmin[Order]):
    list_display = ("number", "told_state", "total", "name", "email", "opened_at", "paid_at")
    list_filter = ("state",)
    sortable_by = ()
    search_fields = ("number",)
    search_help_text = "Number or e-mail"
    fields = (
        "number", "told_state", "total", "shipping", "invoice_number", "holder", "account",
        "name", "email", "phone", "line1", "line2", "city", "region", "pin",
        "opened_at", "dropped_at", "placed_at", "paid_at", "packed_at", "shipped_at",
        "delivered_at", "cancelled_at",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        return Q(email__iexact=words) if "@" in words else Q(number=words.upper())

    @admin.display(description="State")
    def told_state(self, order: Order) -> SafeString:
        return flag(order.state, KINDS.get(order.state, ""))

    @admin.display
    def total(self, order: Order) -> str:
        return inr(order.total_paise)

    @admin.display
    def shipping(self, order: Order) -> str:
        return inr(order.shipping_paise)


@admin.register(OrderLine)
class OrderLineAdmin(Searched[OrderLine], ReadOnlyAdmin[OrderLine]):
    list_display = ("order", "name", "quantity", "unit_price", "gst", "active", "tracking")
    list_select_related = ("order",)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("order__number",)
    search_help_text = "Order's number or reservation's id"
    fields = (
        "order", "reservation", "name", "quantity", "unit_price", "gst_percent", "gst", "active",
        "carrier", "tracking",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        reservation = named_id(words)
        return Q(reservation=reservation) if reservation else of_order(words)

    @admin.display
    def unit_price(self, line: OrderLine) -> str:
        return inr(line.unit_paise)

    @admin.display(description="GST in it")
    def gst(self, line: OrderLine) -> str:
        return inr(line.gst_paise)


@admin.register(OrderEvent)
class OrderEventAdmin(Searched[OrderEvent], ReadOnlyAdmin[OrderEvent]):
    list_display = ("at", "order", "what", "who", "note")
    list_select_related = ("order", "who")
    sortable_by = ()
    search_fields = ("order__number",)
    search_help_text = "Order's number"

    def found(self, words: str) -> Q:
        return of_order(words)
