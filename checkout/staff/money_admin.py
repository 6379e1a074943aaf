"""Payments, charges and refunds; read-only."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from catalog.templatetags.money import inr
from checkout.models import Charge, Payment, Refund
from checkout.staff.order_parts_admin import of_order
from checkout.unsettled import wrong_charges
from reservations.staff.console import named_id


@admin.register(Payment)
class PaymentAdmin(Searched[Payment], ReadOnlyAdmin[Payment]):
    list_display = (
        "created_at", "order", "provider", "session_ref", "expires_at", "closed_at", "look_at",
    )  # fmt: skip
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("order",)
    sortable_by = ()
    search_fields = ("order__number",)
    search_help_text = "Id, or order's number"
    # Without addresses: at one anybody could pay, others may open the order.
    exclude = ("url", "success_url", "cancel_url")

    def found(self, words: str) -> Q:
        payment = named_id(words)
        return Q(pk=payment) if payment else of_order(words)


class WrongFilter(admin.SimpleListFilter):
    title = "in another amount or currency"
    parameter_name = "wrong"

    def lookups(self, *_: object) -> list[tuple[str, str]]:
        return [("1", "In the last 90 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Charge]) -> QuerySet[Charge]:
        return queryset.filter(pk__in=wrong_charges()) if self.value() else queryset


@admin.register(Charge)
class ChargeAdmin(Searched[Charge], ReadOnlyAdmin[Charge]):
    list_display = (
        "created_at", "order", "reference", "worth", "fact", "told_decision", "refunded",
        "settled_at", "disputed_at",
    )  # fmt: skip
    list_filter = (
        ("settled_at", admin.EmptyFieldListFilter),
        ("disputed_at", admin.EmptyFieldListFilter),
        WrongFilter,
    )
    list_select_related = ("order",)
    sortable_by = ()
    search_fields = ("reference",)
    search_help_text = "Reference, or order's number"
    fields = (
        "order", "payment", "provider", "reference", "worth", "fact", "seen_as", "told_decision",
        "refunded", "created_at", "settled_at", "disputed_at",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        return of_order(words) if words.upper().startswith("AL-") else Q(reference=words)

    @admin.display(description="Amount")
    def worth(self, charge: Charge) -> str:
        return _money(charge.amount, charge.currency)

    @admin.display
    def refunded(self, charge: Charge) -> str:
        return _money(charge.refunded_paise, charge.currency)

    @admin.display(description="Decision")
    def told_decision(self, charge: Charge) -> SafeString:
        taken = charge.decision == Charge.Decision.TAKE
        return flag("taken" if taken else "given back", "good" if taken else "")


@admin.register(Refund)
class RefundAdmin(Searched[Refund], ReadOnlyAdmin[Refund]):
    list_display = (
        "created_at", "order", "worth", "told_state", "done_at", "reason", "actor", "tries",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("charge__order", "actor")
    sortable_by = ()
    search_fields = ("charge__order__number",)
    search_help_text = "Id, or order's number"
    fields = (
        "created_at", "order", "charge", "line", "units", "worth", "reason", "actor", "told_state",
        "done_at", "reference", "tries",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        refund = named_id(words)
        return Q(pk=refund) if refund else Q(charge__order__number=words.upper())

    @admin.display
    def order(self, refund: Refund) -> str:
        return refund.charge.order.number

    @admin.display(description="Amount")
    def worth(self, refund: Refund) -> str:
        return _money(refund.amount, refund.charge.currency)

    @admin.display(description="State")
    def told_state(self, refund: Refund) -> SafeString:
        return flag(refund.state, {"failed": "bad", "done": "good"}.get(refund.state, ""))


def _money(amount: int, currency: str) -> str:
    """In another currency the shop does not know how many units make a whole one."""
    return inr(amount) if currency == "INR" else f"{amount} {currency} in its smallest unit"
