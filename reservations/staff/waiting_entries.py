"""The entries of the waiting lists, in their order. Read-only, as nobody of the staff reorders
them."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from allo.outbox.addresses import BadAddress, checked, key_of
from inventory.staff.filters import NOTHING, as_values, products_named
from reservations.models import OPEN, Reservation, WaitingEntry
from reservations.staff import filters

State, Status = WaitingEntry.State, Reservation.Status

# `WaitingEntry.state` as conditions.
STATES = {
    State.WAITING: OPEN,
    State.OFFERED: Q(offer__status=Status.PENDING),
    State.BOUGHT: Q(offer__status=Status.CONFIRMED),
    State.DECLINED: Q(offer__status=Status.RELEASED, offer__withdrawn=""),
    State.LAPSED: Q(offer__status=Status.EXPIRED),
    State.TAKEN_BACK: Q(offer__status=Status.RELEASED) & ~Q(offer__withdrawn=""),
    State.LEFT: Q(ended_as=State.LEFT),
    State.CLOSED: Q(ended_as=State.CLOSED),
    State.UNCONFIRMED: Q(confirmed_at=None, ended_at=None),
}
FLAGS = {State.OFFERED: "live", State.BOUGHT: "good", State.LAPSED: "bad"}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(state), str(state.label)) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = STATES.get(self.value() or "")  # type: ignore[call-overload]
        return queryset.filter(asked) if asked else queryset


class ProductFilter(filters.ProductFilter):
    def matching(self, asked: str) -> Q:
        return Q(product__in=as_values(products_named(asked).values_list("pk", flat=True)))


@admin.register(WaitingEntry)
class WaitingEntryAdmin(Searched[WaitingEntry], ReadOnlyAdmin[WaitingEntry]):
    list_display = (
        "product", "amount", "place", "what", "e_mail", "confirmed_at", "created_at", "offered",
    )  # fmt: skip
    list_filter = (StateFilter, ProductFilter)
    list_select_related = ("product", "warehouse", "offer")
    ordering = ("waiting_since", "pk")
    sortable_by = ()
    search_fields = ("email",)
    fields = (
        "product", "amount", "place", "what", "e_mail", "created_at", "confirmed_at",
        "waiting_since", "ended_at", "offered",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        """By the whole address, in any spelling."""
        try:
            return Q(email_key=key_of(checked(words)))
        except BadAddress:
            return NOTHING

    @admin.display(description="From")
    def place(self, entry: WaitingEntry) -> str:
        return str(entry.warehouse or "Any warehouse")

    @admin.display(description="E-mail")
    def e_mail(self, entry: WaitingEntry) -> str:
        return entry.email

    @admin.display(description="State")
    def what(self, entry: WaitingEntry) -> SafeString:
        return flag(entry.state.label, FLAGS.get(entry.state, ""))

    @admin.display(description="Offer")
    def offered(self, entry: WaitingEntry) -> SafeString | str:
        if entry.offer is None:
            return "–"
        address = reverse("admin:reservations_reservation_change", args=[entry.offer_id])
        return format_html('<a href="{}">{}</a>', address, entry.offer.short_id)
