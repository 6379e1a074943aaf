"""The lists of orders. The first one has those that are to be packed, the first that was paid on
top."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from checkout import phones
from checkout.models import Order, OrderLine, Payment
from checkout.models.payment import PROVIDERS
from checkout.orders.numbers import as_written
from inventory.models import Warehouse
from inventory.staff.filters import as_values
from reservations.staff.console import EIGHT, ids_beginning, named_id

State = Order.State

STATES: dict[str, str] = {
    State.PAID: "To pack",
    State.PACKED: "To send",
    State.SHIPPED: "On the way",
    State.DELIVERED: "Delivered",
    State.CANCELLED: "Cancelled",
    State.PLACED: "Being paid",
    State.OPEN: "Not paid yet",
    State.DROPPED: "Not ordered",
}
ANY = "any"
# What somebody has to do something with; the first that was paid comes first.
UNDER_WAY = (State.PAID, State.PACKED, State.SHIPPED)
PROVIDER_NAMES = {"bank": "Bank", "stripe": "Stripe", "none": "Paid on delivery"}
ACCOUNT = re.compile(r"user:(\d{1,9})", re.ASCII)


def state_of(request: HttpRequest) -> str:
    """The requested list: what is to be packed by default, all states for a search."""
    asked = request.GET.get("state", "")
    if asked in STATES or asked == ANY:
        return asked
    return ANY if request.GET.get("q", "").strip() else str(State.PAID)


def order_of(state: str) -> tuple[str, ...]:
    return ("paid_at", "pk") if state in UNDER_WAY else ("-opened_at", "pk")


def named_order(words: str) -> Q:
    """The orders of a reservation by its id or the first 8 characters of it, with this number,
    this invoice number or this tracking number, to this e-mail address or telephone, of this
    holder, or to somebody whose name begins so; each is read from an index."""
    if "@" in words:
        return Q(email__iexact=words)
    if account := ACCOUNT.fullmatch(words):
        return Q(holder=words) | Q(account=int(account[1]))
    if one := named_id(words):
        return Q(pk__in=_orders_of(Q(reservation=one)))
    condition = Q(number=as_written(words)) | Q(name__istartswith=words)
    condition |= Q(invoice_number=words.upper())
    if phone := phones.stored(words):
        condition |= Q(phone=phone)
    # "Not empty" is what the index of tracking numbers is limited to.
    condition |= Q(pk__in=_orders_of(Q(tracking__iexact=words) & ~Q(tracking="")))
    if EIGHT.fullmatch(words):
        held = Q(reservation__id__range=ids_beginning(words.lower()))
        condition |= Q(pk__in=_orders_of(held))
    return condition


def _orders_of(lines: Q) -> list[UUID] | QuerySet[OrderLine, UUID]:
    """As values: with a subquery the planner reads all orders. In no order: for one it might read
    all lines along their keys."""
    found = OrderLine.objects.filter(lines).order_by()
    return as_values(found.values_list("order", flat=True))


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.state = state_of(request)
        return [*STATES.items(), (ANY, "Any")]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """There is no "All"; the first choice is the default."""
        for name, words in self.lookup_choices:
            address = changelist.get_query_string({str(self.parameter_name): name})
            yield {"selected": self.state == name, "query_string": address, "display": words}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset if self.state == ANY else queryset.filter(state=self.state)


class UnderWayFilter(admin.SimpleListFilter):
    """Narrows the lists of what somebody has to do. The others are too long to be narrowed by what
    no index of orders knows, so there it is not offered."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = state_of(request) in UNDER_WAY or self.parameter_name in self.used_parameters
        return self.named() if offered else []

    def named(self) -> list[tuple[str, str]]:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        known = {str(value) for value, _ in self.lookup_choices}
        return queryset.filter(self.of(value)) if (value := self.value()) in known else queryset

    def of(self, value: str) -> Exists:
        raise NotImplementedError


class WarehouseFilter(UnderWayFilter):
    title = "warehouse"
    parameter_name = "warehouse"

    def named(self) -> list[tuple[str, str]]:
        rows = Warehouse.objects.order_by("name").values_list("code", "name")
        return list(rows)

    def of(self, value: str) -> Exists:
        code = Q(reservation__inventory__warehouse__code=value)
        return Exists(OrderLine.objects.filter(code, order=OuterRef("pk"), active=True))


class ProviderFilter(UnderWayFilter):
    title = "payment"
    parameter_name = "provider"

    def named(self) -> list[tuple[str, str]]:
        return [(name, PROVIDER_NAMES[name]) for name in PROVIDERS]

    def of(self, value: str) -> Exists:
        return Exists(Payment.objects.filter(order=OuterRef("pk"), provider=value))
