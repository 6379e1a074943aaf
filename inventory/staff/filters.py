"""Filters of the inventory and ledger lists."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.contrib.auth.models import User
from django.db.models import Case, Model, Q, QuerySet, When
from django.http import HttpRequest
from django.utils import timezone

from catalog.models import Product, ProductQuerySet
from inventory.models import Inventory
from inventory.shortages import SHORTAGES, Shortage

Row = TypeVar("Row", bound=Model)
Key = TypeVar("Key")

# A statement with as many takes a fraction of a second.
VALUES_AT_MOST = 50_000


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(kind), str(label)) for kind, label in Shortage.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        short = SHORTAGES.get(self.value() or "")  # type: ignore[call-overload]
        return queryset.filter(short) if short else queryset


class TypedFilter(admin.SimpleListFilter):
    """A filter with a text field, for columns with too many values to list."""

    template = "admin/typed_filter.html"
    input_type = "text"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """One choice, which is the form: its value and the other parameters of the address."""
        params = changelist.get_filters_params()
        others = {name: values for name, values in params.items() if name != self.parameter_name}
        if changelist.query:
            others[SEARCH_VAR] = [changelist.query]
        yield {
            "value": self.value() or "",
            "others": [(name, value) for name, values in others.items() for value in values],
            "without": changelist.get_query_string(remove=[str(self.parameter_name)]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = (self.value() or "").strip().replace("\0", "")
        return queryset.filter(self.matching(asked)) if asked else queryset

    def matching(self, asked: str) -> Q:
        raise NotImplementedError


class ProductFilter(TypedFilter):
    title = "product"
    parameter_name = "product"

    def matching(self, asked: str) -> Q:
        return Q(inventory__in=rows_of_product(asked))


class RowFilter(TypedFilter):
    """One inventory row by its id. Only shown after a link from the inventory's pages, as nobody
    types ids."""

    title = "inventory row"
    parameter_name = "row"
    input_type = "number"

    def has_output(self) -> bool:
        return bool(self.value())

    def matching(self, asked: str) -> Q:
        return Q(inventory=int(asked)) if asked.isdecimal() and len(asked) < 19 else NOTHING


class ActorFilter(TypedFilter):
    title = "actor"
    parameter_name = "actor"

    def matching(self, asked: str) -> Q:
        """By the account's id: through a join the planner could not tell how rare it is."""
        return Q(actor__in=list(User.objects.filter(username=asked).values_list("pk", flat=True)))


class DayFilter(TypedFilter):
    title = "day"
    parameter_name = "day"
    input_type = "date"

    def matching(self, asked: str) -> Q:
        try:
            midnight = datetime.combine(date.fromisoformat(asked), time())
            start = timezone.make_aware(midnight)
            end = timezone.make_aware(midnight + timedelta(days=1))
        except (ValueError, OverflowError):
            return NOTHING
        return Q(created_at__gte=start, created_at__lt=end)


NOTHING = Q(pk__in=[])


def rows_of_product(words: str) -> list[int] | QuerySet[Inventory, int]:
    """The keys of the rows of the products named so."""
    rows = Inventory.objects.filter(product__in=products_named(words).values("pk"))
    return as_values(rows.order_by("pk").values_list("pk", flat=True))


def as_values(keys: QuerySet[Row, Key]) -> list[Key] | QuerySet[Row, Key]:
    """The keys as values: of a query the planner expects too few, and would read all the history of
    these rows to list the latest. More than `VALUES_AT_MOST` stay a query, so none is left out."""
    few = list(keys[: VALUES_AT_MOST + 1])
    return few if len(few) <= VALUES_AT_MOST else keys


def products_named(words: str) -> ProductQuerySet:
    """The product with this slug (also an old one), else those with this name, else the one with
    this id; else all that a search finds."""
    if not words:
        return Product.objects.none()
    slug, name = Q(slugs__slug=words), Q(name__iexact=words)
    by_id = Q(pk=int(words)) if words.isdecimal() and len(words) < 19 else NOTHING
    ranks = Case(When(slug, then=0), When(name, then=1), default=2)
    found = Product.objects.filter(slug | name | by_id).order_by().values_list(ranks, "pk")
    if not (named := list(found)):
        return Product.objects.for_staff(words)
    first, _ = min(named)
    return Product.objects.filter(pk__in={pk for rank, pk in named if rank == first})
