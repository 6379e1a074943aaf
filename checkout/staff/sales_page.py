"""The page "Sales": what was sold in some days, by product and warehouse, also as a file."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.cache import never_cache

from allo.admin_kit.base import ModelAdmin
from allo.admin_kit.export import cell, csv_of
from allo.web.days import year_is_near
from catalog.templatetags.money import rupees
from checkout import sales
from checkout.models import Order, OrderLine
from inventory.models import Warehouse
from inventory.staff.filters import rows_of_product

# More days would take long to sum.
MOST_DAYS = 31


def _day(label: str) -> forms.DateField:
    widget = forms.DateInput({"type": "date"})
    return forms.DateField(label=label, widget=widget, validators=[year_is_near])


class SalesForm(forms.Form):
    first, last = _day("From"), _day("To")
    product = forms.CharField(required=False, max_length=120)
    warehouse = forms.ModelChoiceField(
        Warehouse.objects.all(), to_field_name="code", required=False, empty_label="All"
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and not timedelta() <= last - first < timedelta(days=MOST_DAYS):
            raise forms.ValidationError(f"Ask for 1 to {MOST_DAYS} days, the first one first.")
        return cleaned

    def sold(self) -> list[sales.Sold]:
        """Shipping is of whole orders: of a product or a warehouse alone there is none."""
        asked = self.cleaned_data
        whole = not asked["product"].strip() and not asked["warehouse"]
        shipping = sales.shipping_of(asked["first"], asked["last"]) if whole else []
        return [*sales.by_product(self._lines()), *shipping]

    def _lines(self) -> QuerySet[OrderLine]:
        asked = self.cleaned_data
        lines = sales.lines_of(asked["first"], asked["last"])
        if product := asked["product"].strip():
            lines = lines.filter(reservation__inventory__in=rows_of_product(product))
        if asked["warehouse"]:
            lines = lines.filter(reservation__inventory__warehouse=asked["warehouse"])
        return lines


class SalesPage(ModelAdmin[Order]):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.sales))
        name = "checkout_order_sales"
        return [
            path("sales/", view, name=name),
            path("sales/csv/", view, {"as_file": True}, name=f"{name}_csv"),
            *super().get_urls(),
        ]

    def sales(self, request: HttpRequest, *, as_file: bool = False) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        today = timezone.localdate()
        form = SalesForm({"first": today, "last": today, **request.GET.dict()})
        sold = form.sold() if form.is_valid() else []
        if as_file and form.is_valid():
            return csv_of(_table(sold), f"sales-{form.cleaned_data['first']}")
        units, paise, gst_paise = sales.total(sold)
        return self.render_page(
            request,
            "admin/checkout/order/sales.html",
            status=200 if form.is_valid() else 422,
            title="Sales",
            form=form,
            sold=sold,
            units=units,
            paise=paise,
            gst_paise=gst_paise,
            query=request.GET.urlencode(),
        )


def _table(sold: list[sales.Sold]) -> Any:
    yield ["product", "name", "warehouse", "units", "amount (₹)", "GST in it (₹)"]
    for row in sold:
        said = map(cell, (row.slug, row.product, row.warehouse, row.units))
        yield [*said, rupees(row.paise), rupees(row.gst_paise)]
