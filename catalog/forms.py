from typing import Any

from django import forms
from django.db.models import F

from catalog.models import ProductQuerySet

SORTS = {
    "featured": ("Featured", ("position", "pk")),
    "newest": ("Newest", (F("published_at").desc(), "position", "pk")),
    "price": ("Price, low to high", ("price_paise", "position", "pk")),
    "-price": ("Price, high to low", ("-price_paise", "position", "pk")),
    "name": ("Name", ("name", "pk")),
}


class GridForm(forms.Form):
    """What the grid's address says; every value has a place in the URL."""

    q = forms.CharField(
        label="Search", max_length=100, required=False, widget=forms.TextInput({"type": "search"})
    )
    category = forms.SlugField(required=False)
    in_stock = forms.BooleanField(label="In stock", required=False)
    sort = forms.ChoiceField(
        choices=[(key, label) for key, (label, _) in SORTS.items()], required=False
    )

    def active(self) -> dict[str, Any]:
        """The filters that are set, as they stand in the address."""
        filters = {name: value for name, value in self.cleaned_data.items() if value}
        if "in_stock" in filters:
            filters["in_stock"] = 1
        if filters.get("sort") == "featured":
            del filters["sort"]
        return filters

    def select(self, products: ProductQuerySet) -> ProductQuerySet:
        """The products that match, of any category: the others' counts are shown too."""
        products = products.matching(self.cleaned_data["q"])
        return products.in_stock() if self.cleaned_data["in_stock"] else products

    def order(self, products: ProductQuerySet) -> ProductQuerySet:
        return products.order_by(*SORTS[self.cleaned_data["sort"] or "featured"][1])


class StockForm(forms.Form):
    """Which products' stock a page wants to know: "1,2,3"."""

    p = forms.RegexField(r"^\d{1,9}(,\d{1,9}){0,499}$", strip=False)

    def clean_p(self) -> list[int]:
        return [int(pk) for pk in self.cleaned_data["p"].split(",")]
