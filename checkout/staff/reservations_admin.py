"""The console of reservations, with the buyer of each."""

from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.flags import flag
from catalog.templatetags.money import inr
from checkout.models import Contact, OrderLine
from checkout.staff.order_page import next_step
from reservations.models import Reservation
from reservations.staff import console, reservations_admin

Console = reservations_admin.ReservationAdmin


def _email_of(row: Reservation) -> str:
    try:
        return row.contact.email
    except Contact.DoesNotExist:
        return ""


def _by_email(words: str) -> Q | None:
    return Q(contact__email__iexact=words) if "@" in words else None


console.also_named.append(_by_email)


@admin.register(Reservation)
class ReservationAdmin(Console):
    list_display = (
        "short_id", "product", "warehouse", "quantity", "who", "email", "ends", "state",
    )  # fmt: skip
    list_select_related = (*Console.list_select_related, "contact")
    search_help_text = "Id or its first 8 characters, product, holder, e-mail or user name"
    fields = (
        "id", "state", "order", "product", "warehouse", "quantity", "unit_price", "total",
        "holder", "email", "address",
        "created_at", "expires_at", "ended_at", "renewals", "staff_did",
    )  # fmt: skip
    export_columns = {**Console.export_columns, "e-mail": _email_of}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return super().get_queryset(request).select_related("contact")

    @admin.display
    def order(self, row: Reservation) -> SafeString | str:
        """Its order, the buyer, the amount, and what to do next."""
        lines = OrderLine.objects.select_related("order").filter(reservation=row, active=True)
        if not (line := lines.first()):
            return "None"
        order = line.order
        list_of = reverse("admin:checkout_order_changelist")
        return format_html(
            '<a class="code" href="{}">{}</a> {}, {} for {}. {} <a href="{}?{}">{}</a>',
            reverse("admin:checkout_order_change", args=[order.pk]),
            order,
            flag(order.state),
            inr(order.total_paise),
            order.name or "a buyer without a name",
            next_step(order),
            list_of,
            urlencode({"q": order.email}),
            "All orders of this buyer" if order.email else "",
        )

    @admin.display(description="E-mail")
    def email(self, row: Reservation) -> str:
        return _email_of(row) or "–"
