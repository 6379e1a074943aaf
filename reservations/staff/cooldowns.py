"""The list of those who cool down, with the reason, and the page to end a cool-down."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import (
    Case,
    Count,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest, HttpResponse

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.search import Searched
from allo.postgresql import present
from inventory.models import Inventory
from inventory.staff.filters import NOTHING
from reservations.engine import sql
from reservations.engine.cooling import (
    REMEMBERED,
    SOON,
    UNPAID_AT_LEAST,
    Cooling,
    History,
    Past,
    cooling,
)
from reservations.models import AdoptedHolder, CooldownLift, Reservation
from reservations.staff.console import search

# At most so many: those whose cool-down ends last.
MOST_SHOWN = 50
# More, as some of them bought something since.
MOST_READ = 500
MOST_NAMED = 5
# Merchants do not cool down.
SHOPPERS = Q(holder__startswith="user:") | Q(holder__startswith="visitor:")


class Suspect(NamedTuple):
    """A person, by the account if there is one, who let holds of a product end unpaid under
    `names`: of the account and of the browsers in which it signed in. The rule counts the account
    together with the browser that it is used in."""

    person: str
    names: list[str]
    product: int
    product_name: str


class Cool(NamedTuple):
    holder: str
    product: str
    cooling: Cooling


class LiftForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = CooldownLift
        fields = ("holder", "reason")
        help_texts = {
            "holder": "As in reservations: user:… or visitor:…; or an e-mail or a user name"
        }

    def clean_holder(self) -> str:
        """The holder whom the words name, as in the console's search."""
        found = search(self.cleaned_data["holder"])
        held = Reservation.objects.filter(SHOPPERS, found.condition if found.names else NOTHING)
        match list(held.order_by().values_list("holder", flat=True).distinct()[:MOST_NAMED]):
            case []:
                raise forms.ValidationError(
                    "No shopper held anything under this name. Use Lift in the list, or copy the"
                    " whole holder."
                )
            case [holder]:
                return holder
            case several:
                raise forms.ValidationError(
                    f"Several held under this, such as {', '.join(several)}. Copy one of them."
                )


@admin.register(CooldownLift)
class CooldownLiftAdmin(Searched[CooldownLift], ReadOnlyAdmin[CooldownLift]):
    """Cool-downs that staff ended, and above them those who cool down now. Visible to all who may
    see reservations."""

    form = LiftForm
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
        self, request: HttpRequest, obj: CooldownLift, form: "forms.ModelForm[Any]", change: bool
    ) -> None:
        assert isinstance(request.user, User), "the site is for those who are signed in"
        obj.actor = request.user
        super().save_model(request, obj, form, change)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"title": "Cool-downs", "cooling": cooling_now(), "most": MOST_SHOWN}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"title": "Lift a cool-down", **(extra_context or {})}
        return super().add_view(request, form_url, more)


def cooling_now() -> list[Cool]:
    """Computed by the rule that refuses them."""
    suspects = list(_suspects())
    histories, now = _histories({name for each in suspects for name in (each.person, *each.names)})
    rows = defaultdict(list)
    of_products = Inventory.objects.filter(product__in={each.product for each in suspects})
    for product, row in of_products.values_list("product", "pk"):
        rows[product].append(row)

    found = (
        cool for each in suspects for cool in _cooling_of(each, histories, rows[each.product], now)
    )
    return list(islice(found, MOST_SHOWN))


def _cooling_of(
    suspect: Suspect, histories: dict[str, History], rows: list[int], now: datetime
) -> Iterator[Cool]:
    """Each name that cools down alone; if none does, the person."""

    def together(*names: str) -> Cooling | None:
        return cooling([histories[name] for name in names], rows, now)

    found = {name: cools for name in suspect.names if (cools := together(name))}
    browsers = [name for name in suspect.names if name != suspect.person]
    pairs = [cools for name in browsers if (cools := together(suspect.person, name))]
    if pairs and not found:
        found[suspect.person] = max(pairs, key=attrgetter("until"))
    for name, cools in found.items():
        yield Cool(name, suspect.product_name, cools)


def _suspects() -> Iterator[Suspect]:
    """Those who cool down, unless they bought something since or staff lifted it: the last to end
    their cool-down first."""
    if not (minutes := settings.RESERVATION_COOL_DOWN_MINUTES):
        return
    *waits, longest = [Value(timedelta(minutes=each)) for each in minutes]
    whens = [When(ends=ends, then=wait) for ends, wait in enumerate(waits, UNPAID_AT_LEAST)]
    account = AdoptedHolder.objects.filter(holder=OuterRef("holder")).values("account")
    several = _unpaid_lately().annotate(person=Coalesce(Subquery(account), "holder"))
    found = (
        several.values("person", "inventory__product", "inventory__product__name")
        .annotate(names=ArrayAgg("holder", distinct=True), ends=Count("pk"))
        .filter(ends__gte=UNPAID_AT_LEAST)
        .annotate(until=Max("ended_at") + Case(*whens, default=longest))
        .filter(until__gt=Now())
        .order_by("-until")
    )
    of_product = ("inventory__product", "inventory__product__name")
    yield from map(Suspect._make, found.values_list("person", "names", *of_product)[:MOST_READ])


def _unpaid_lately() -> QuerySet[Reservation]:
    """As `cooling.is_unpaid` says, of shoppers."""
    lately = Reservation.objects.ended().filter(
        Q(status="expired") | Q(status="released", ended_at__gte=F("created_at") + SOON),
        SHOPPERS,
        withdrawn="",
        provider_failed_at=None,
        ended_at__gt=Now() - REMEMBERED,
    )
    return lately.order_by()


def _histories(holders: set[str]) -> tuple[dict[str, History], datetime]:
    """The histories of holders, and the database's time."""
    found: dict[str, History] = defaultdict(History)
    with connection.cursor() as cursor:
        cursor.execute(sql.HISTORIES, [list(holders)])
        for holder, bought, lifted_at, *past in cursor.fetchall():
            history = found[holder]
            history.bought, history.lifted_at = bought, lifted_at
            if past[0]:
                history.past.append(Past(*past))
    return found, present.now()
