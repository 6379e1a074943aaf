"""The page "Trends", of the shop or of one product or warehouse, also as a file."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache

from allo.admin_kit.base import ModelAdmin
from allo.admin_kit.export import cell, csv_of
from catalog.templatetags.money import rupees
from inventory.models import Warehouse
from inventory.staff.filters import rows_of_product
from reservations.models import DayCount, Reservation
from reservations.staff.trends import PERIODS, Line, Trends

# Nobody would read a page with more products.
LISTED = 200
NAME = "reservations_reservation_trends"


class TrendsForm(forms.Form):
    days = forms.TypedChoiceField(
        label="Days", coerce=int, choices=[(days, f"Last {days} days") for days in PERIODS]
    )
    product = forms.CharField(required=False, max_length=120)
    warehouse = forms.ModelChoiceField(
        Warehouse.objects.all(), to_field_name="code", required=False, empty_label="All"
    )

    def trends(self) -> Trends:
        asked = self.cleaned_data
        counts = DayCount.objects.all()
        if asked["product"]:
            counts = counts.filter(inventory__in=rows_of_product(asked["product"]))
        if asked["warehouse"]:
            counts = counts.filter(inventory__warehouse=asked["warehouse"])
        return Trends(asked["days"], counts)

    def about(self, products: list[Line]) -> str:
        """The heading: whose trends these are."""
        asked = self.cleaned_data
        product = asked["product"] and len(products) == 1 and products[0].name
        of = [product or asked["product"], asked["warehouse"] and asked["warehouse"].name]
        return ", ".join(filter(None, of)) or "The whole shop"


class TrendsPage(ModelAdmin[Reservation]):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.trends))
        return [
            path("trends/", view, name=NAME),
            path("trends/csv/", view, {"as_file": True}, name=f"{NAME}_csv"),
            *super().get_urls(),
        ]

    def trends(self, request: HttpRequest, *, as_file: bool = False) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TrendsForm({"days": PERIODS[0], **request.GET.dict()})
        trends = form.trends() if form.is_valid() else None
        if as_file and trends:
            return csv_of(_table(trends), f"trends-{trends.days[-1]}")
        products = trends.products(LISTED) if trends else []
        return self.render_page(
            request,
            "admin/reservations/reservation/trends.html",
            status=200 if trends else 422,
            title="Trends",
            form=form,
            trends=trends,
            about=form.about(products) if trends else "",
            products=products,
            most=LISTED,
            query=request.GET.urlencode(),
        )


def _table(trends: Trends) -> Iterator[list[Any]]:
    yield [
        "day", "product", "name", "warehouse",
        "held", "confirmed", "expired", "released", "units confirmed", "worth confirmed (₹)",
    ]  # fmt: skip
    for *said, paise in trends.rows():
        yield [*map(cell, said), rupees(paise)]
