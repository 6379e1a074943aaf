"""A new product's first units, in all warehouses by one form; saving the product leads to it."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from allo.admin_kit.base import ModelAdmin
from allo.web.fields import LineField
from allo.web.parts import SeeOther
from catalog.models import Product
from inventory import services
from inventory.adjustments import MAX_UNITS
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import Inventory, Warehouse

NAME = "inventory_inventory_first"


class FirstStockForm(forms.Form):
    note = LineField(max_length=200, required=False)
    # If it is sent twice it acts once.
    reference = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, warehouses: Iterable[Warehouse], data: Mapping[str, Any] | None) -> None:
        super().__init__(data, initial={"reference": uuid4()})
        self.warehouses = {f"units_{each.pk}": each for each in warehouses}
        for name, warehouse in self.warehouses.items():
            self.fields[name] = forms.IntegerField(
                label=warehouse.name, required=False, min_value=0, max_value=MAX_UNITS
            )
        self.order_fields([*self.warehouses, "note"])

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.units():
            raise forms.ValidationError("Give a number of units for one warehouse at least.")
        return self.cleaned_data

    def units(self) -> dict[int, int]:
        """By the warehouse's key."""
        typed = {each.pk: self.cleaned_data[name] for name, each in self.warehouses.items()}
        return {warehouse: units for warehouse, units in typed.items() if units}

    def refuse(self, refusal: StockError) -> None:
        """Shows the refusal where it belongs: beside the numbers that were refused, or above."""
        errors = refusal.errors if isinstance(refusal, Refused) else {}
        warehouses = list(self.units())
        for place, error in errors.items():
            self.add_error(f"units_{warehouses[place]}", str(error))
        if not errors:
            self.add_error(None, str(refusal))


def _form(request: HttpRequest, rows: list[Inventory]) -> FirstStockForm:
    """For the warehouses that have none yet. The same form may have been sent before, or somebody
    else may have put some there meanwhile: the service finds that out."""
    if request.method == "POST":
        return FirstStockForm(Warehouse.objects.all(), request.POST)
    with_some = [row.warehouse_id for row in rows]
    return FirstStockForm(Warehouse.objects.exclude(pk__in=with_some), None)


class FirstStockPage(ModelAdmin[Inventory]):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.first_stock)
        return [path("first/<int:product_id>/", view, name=NAME), *super().get_urls()]

    def first_stock(self, request: HttpRequest, product_id: int) -> HttpResponse:
        if not request.user.has_perm("inventory.receive_stock"):
            raise PermissionDenied
        product = get_object_or_404(Product, pk=product_id)
        there = Inventory.objects.filter(product=product).with_available()
        rows = list(there.select_related("warehouse").order_by("warehouse__position", "pk"))
        form = _form(request, rows)
        if form.is_valid() and self._put(request, product, form):
            return SeeOther(self.address("changelist", q=product.slug))
        return self.render_page(
            request,
            "admin/inventory/inventory/first.html",
            status=422 if form.errors else 200,
            title="First stock",
            product=product,
            form=form,
            rows=rows,
        )

    def _put(self, request: HttpRequest, product: Product, form: FirstStockForm) -> bool:
        """Whether the units are there now, put by this request or by the same form before; if not,
        the form says why."""
        assert isinstance(request.user, User)
        units, cleaned = form.units(), form.cleaned_data
        try:
            services.put_first(
                product_id=product.pk,
                units=units,
                reference=cleaned["reference"],
                note=cleaned["note"],
                actor=request.user,
            )
        except AlreadyDone as done:
            messages.warning(request, str(done))
        except StockError as refusal:
            form.refuse(refusal)
            return False
        else:
            self._say(request, product, units)
        return True

    def _say(self, request: HttpRequest, product: Product, units: Mapping[int, int]) -> None:
        rows = Inventory.objects.filter(product=product, warehouse__in=units)
        for row in rows.select_related("product", "warehouse"):
            self.log_change(request, row, f"First stock: total 0 → {units[row.warehouse_id]}")
        count = sum(units.values())
        plural = "" if count == 1 else "s"
        messages.success(request, f"{product.name} has its first {count} unit{plural}.")
