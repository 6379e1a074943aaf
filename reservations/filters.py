"""The filters of the reservations console."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from catalog.models import Product
from reservations.console import ANY, STATES, in_state, rows_of_product, state_of
from reservations.models import ReservationQuerySet

SUGGESTED = 12


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.state = state_of(request)
        return list(STATES.items())

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """No "All": the first is the one that is shown unasked."""
        if self.state == ANY:
            address = changelist.get_query_string(remove=[str(self.parameter_name)])
            yield {"selected": True, "query_string": address, "display": "Any"}
        for name, words in STATES.items():
            address = changelist.get_query_string({str(self.parameter_name): name})
            yield {
                "selected": self.state == name,
                "query_string": address,
                "display": words,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        assert isinstance(queryset, ReservationQuerySet)
        return in_state(queryset, state_of(request))


class ProductFilter(admin.SimpleListFilter):
    title = "product"
    parameter_name = "product"
    template = "admin/product_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """One, which is the form, with what else the address says."""
        params = changelist.get_filters_params()
        others = {name: values for name, values in params.items() if name != self.parameter_name}
        if changelist.query:
            others["q"] = [changelist.query]
        yield {
            "value": self.value() or "",
            "others": [(name, value) for name, values in others.items() for value in values],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = (self.value() or "").strip().replace("\0", "")
        return queryset.filter(inventory__in=rows_of_product(asked)) if asked else queryset


def suggestions(words: str) -> SafeString:
    """Names that contain what is being typed, as options of a list."""
    words = words.strip().replace("\0", "")
    names = Product.objects.filter(name__icontains=words).order_by("name")
    options = ((name,) for name in names.values_list("name", flat=True)[:SUGGESTED])
    return format_html_join("", '<option value="{}"></option>', options if words else ())
