"""The filters of the reservations console."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from catalog.forms import BEST_MATCH
from catalog.models import Product
from inventory.staff import filters
from reservations.models import ReservationQuerySet
from reservations.staff.console import ANY, STATES, in_state, state_of

SUGGESTED = 12


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.state = state_of(request)
        return list(STATES.items())

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """There is no "All"; the first choice is the default."""
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


class ProductFilter(filters.ProductFilter):
    """A filter that suggests products while one types."""

    template = "admin/product_filter.html"


def suggestions(words: str) -> SafeString:
    """Product names that match the typed text, as `<option>` elements."""
    if not words.strip():
        return SafeString()
    names = Product.objects.for_staff(words).order_by(*BEST_MATCH)
    options = ((name,) for name in names.values_list("name", flat=True)[:SUGGESTED])
    return format_html_join("", '<option value="{}"></option>', options)
