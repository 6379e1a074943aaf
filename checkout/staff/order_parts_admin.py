"""The lines of orders, and what happened to orders; read-only."""

from django.contrib import admin
from django.db.models import Q

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.search import Searched
from catalog.templatetags.money import inr
from checkout.models import OrderEvent, OrderLine
from checkout.orders.numbers import as_written
from reservations.staff.console import named_id


def of_order(words: str) -> Q:
    """Parts of the order with this number."""
    return Q(order__number=as_written(words))


@admin.register(OrderLine)
class OrderLineAdmin(Searched[OrderLine], ReadOnlyAdmin[OrderLine]):
    list_display = ("order", "name", "quantity", "unit_price", "gst", "active", "shipped_at")
    list_select_related = ("order",)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("order__number",)
    search_help_text = "Order's number or reservation's id"
    fields = (
        "order", "reservation", "name", "quantity", "unit_price", "gst_percent", "gst", "active",
        "shipped_at", "carrier", "tracking", "returned_units",
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
