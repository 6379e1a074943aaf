"""A product's pages, with the way to its stock: a new one leads to its first units."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from catalog import admin as catalog_admin
from catalog.models import Product
from inventory.models import Inventory
from inventory.staff.first_stock import NAME

admin.site.unregister(Product)


@admin.register(Product)
class ProductAdmin(catalog_admin.ProductAdmin):
    def page_context(self, request: HttpRequest, row: Product) -> dict[str, Any]:
        return {**super().page_context(request, row), "stock_url": self._stock(request, row)}

    def _stock(self, request: HttpRequest, product: Product) -> str:
        """To the rows of the product, or to where it gets its first."""
        if Inventory.objects.filter(product=product).exists():
            return f"{reverse('admin:inventory_inventory_changelist')}?q={product.slug}"
        return _first(request, product)

    def response_add(
        self, request: HttpRequest, obj: Product, post_url_continue: str | None = None
    ) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        address = _first(request, obj)
        return HttpResponseRedirect(address) if "_save" in request.POST and address else response


def _first(request: HttpRequest, product: Product) -> str:
    may_put = request.user.has_perm("inventory.receive_stock")
    return reverse(f"admin:{NAME}", args=[product.pk]) if may_put else ""
