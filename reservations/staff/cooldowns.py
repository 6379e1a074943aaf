"""The list of those who cool down, with the reason, and the page to end a cool-down."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.search import Searched
from inventory.models import Inventory
from reservations.engine import sql
from reservations.engine.cooling import (
    REMEMBERED,
    UNPAID_AT_LEAST,
    Cooling,
    History,
    Past,
    cooling,
)
from reservations.models import CooldownLift, Reservation

# At most so many: those with the most holds that ended unpaid.
MOST_SHOWN = 50


class Cool(NamedTuple):
    holder: str
    product: str
    cooling: Cooling


@admin.register(CooldownLift)
class CooldownLiftAdmin(Searched[CooldownLift], ReadOnlyAdmin[CooldownLift]):
    """Cool-downs that staff ended, and above them those who cool down now. Visible to all who may
    see reservations."""

    change_list_template = "admin/reservations/cooldownlift/change_list.html"
    list_display = ("created_at", "actor", "holder", "reason")
    list_select_related = ("actor",)
    sortable_by = ()
    search_fields = ("holder",)
    fields = ("holder", "reason")

    def found(self, words: str) -> Q:
        return Q(holder=words)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reservations.view_reservation")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reservations.lift_cooldown")

    def save_model(
        self, request: HttpRequest, obj: CooldownLift, form: "ModelForm[Any]", change: bool
    ) -> None:
        assert isinstance(request.user, User), "the site is for those who are signed in"
        obj.actor = request.user
        super().save_model(request, obj, form, change)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"title": "Cool-downs", "cooling": list(cooling_now())}
        return super().changelist_view(request, {**more, **(extra_context or {})})


def cooling_now() -> Iterator[Cool]:
    """Computed by the rule that refuses them."""
    suspects = _suspects()
    histories, now = _histories({holder for holder, _ in suspects})
    rows = defaultdict(list)
    products = {product for _, product in suspects}
    of_product = Inventory.objects.filter(product__in=products).select_related("product")
    for row in of_product:
        rows[row.product_id].append(row)
    for holder, product in suspects:
        found = cooling([histories[holder]], [row.pk for row in rows[product]], now)
        if found:
            yield Cool(holder, rows[product][0].product.name, found)


def _suspects() -> list[tuple[str, int]]:
    """Holders, and the products of which several of their holds ended unpaid."""
    lately = Reservation.objects.ended().filter(
        status__in=("expired", "released"), withdrawn="", ended_at__gt=Now() - REMEMBERED
    )
    shoppers = Q(holder__startswith="user:") | Q(holder__startswith="visitor:")
    several = lately.filter(shoppers).order_by().values("holder", "inventory__product")
    worst = several.annotate(ends=Count("pk")).filter(ends__gte=UNPAID_AT_LEAST).order_by("-ends")
    return list(worst.values_list("holder", "inventory__product")[:MOST_SHOWN])


def _histories(holders: set[str]) -> tuple[dict[str, History], Any]:
    """The histories of holders, and the database's time."""
    found: dict[str, History] = defaultdict(History)
    with connection.cursor() as cursor:
        cursor.execute(sql.HISTORIES, [list(holders)])
        for holder, bought, lifted_at, *past in cursor.fetchall():
            history = found[holder]
            history.bought, history.lifted_at = bought, lifted_at
            if past[0]:
                history.past.append(Past(*past))
        cursor.execute("SELECT clock_timestamp()")
        return found, cursor.fetchone()[0]
