"""The filters of the reservations console."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalog.models import Product
from inventory.models import Inventory
from reservations.console import ANY, STATES, in_state, state_of
from reservations.models import ReservationQuerySet


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
            "widget": _product_widget(self.value(), changelist.model_admin.admin_site),
            "others": [(name, value) for name, values in others.items() for value in values],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
            "selected": self.value(),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        if not asked:
            return queryset
        if not asked.isdecimal() or len(asked) > 18:
            return queryset.none()
        rows = Inventory.objects.filter(product=int(asked)).values_list("pk", flat=True)
        return queryset.filter(inventory__in=list(rows))


def _product_widget(value: str | None, site: admin.AdminSite) -> SafeString:
    source = Inventory._meta.get_field("product")
    widget = AutocompleteSelect(source, site, attrs={"id": "product-filter"})
    field = forms.ModelChoiceField(Product.objects.all(), required=False, widget=widget)
    chosen = value if value and value.isdecimal() and len(value) < 19 else None
    html: SafeString = field.widget.render("product", chosen, {"aria-label": "Product"})
    return html
