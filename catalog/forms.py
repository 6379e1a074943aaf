from dataclasses import replace
from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Q

from allo.web.flag_field import FlagField
from catalog import search
from catalog.choices import COLOURS, MATERIALS, PRICES
from catalog.models import UNRANKED, ProductQuerySet

# Each ends with a unique field: see `catalog.paging`.
SORTS = {
    "featured": ("Featured", ("position", "pk")),
    "newest": ("Newest", ("-published_at", "position", "pk")),
    "price": ("Price, low to high", ("price_paise", "position", "pk")),
    "-price": ("Price, high to low", ("-price_paise", "position", "pk")),
    "name": ("Name", ("name", "pk")),
}
BEST_MATCH = ("relevance", "position", "pk")


class SeveralField(forms.MultipleChoiceField):
    """Any of the choices: each once, in one order, so that they have one address."""

    def to_python(self, value: Any) -> list[str]:
        return sorted({*super().to_python(value)} - {""})


class GridForm(forms.Form):
    """The grid's query string; every value has its place in the URL."""

    q = forms.CharField(
        label="Search",
        max_length=search.LONGEST,
        required=False,
        widget=forms.TextInput({"type": "search"}),
    )
    category = forms.SlugField(required=False)
    in_stock = FlagField(label="In stock", required=False)
    price = forms.ChoiceField(
        choices=[(key, label) for key, (label, *_) in PRICES.items()], required=False
    )
    material = SeveralField(choices=[*MATERIALS.items()], required=False)
    colour = SeveralField(choices=[*COLOURS.items()], required=False)
    sort = forms.ChoiceField(
        choices=[(key, label) for key, (label, _) in SORTS.items()], required=False
    )

    def active(self) -> dict[str, Any]:
        """The filters that are set, as in the address."""
        filters = {name: value for name, value in self.cleaned_data.items() if value}
        if "in_stock" in filters:
            filters["in_stock"] = 1
        if filters.get("sort") == "featured":
            del filters["sort"]
        return filters

    @cached_property
    def search(self) -> search.Search | None:
        words = self.cleaned_data["q"]
        return _as_begun(search.read(words), self.data.get("after", "")) if words else None

    def conditions(self) -> dict[str, Q]:
        """The condition of each filter that is set, by its name. `in_stock` is not among them, as
        the app above knows about stock."""
        typed = self.cleaned_data
        wanted = {}
        if slug := typed["category"]:
            wanted["category"] = Q(category__slug=slug)
        if price := typed["price"]:
            _, least, most = PRICES[price]
            wanted["price"] = Q(price_paise__gte=least, price_paise__lt=most)
        if materials := typed["material"]:
            wanted["material"] = Q(materials__overlap=materials)
        if colours := typed["colour"]:
            wanted["colour"] = Q(colour__in=colours)
        return wanted

    def searched(self, products: ProductQuerySet) -> ProductQuerySet:
        """Those that the search finds, before any filter."""
        return products.matching(self.search) if self.search else products

    @property
    def order(self) -> tuple[str, ...]:
        """A search without another order is sorted by best match."""
        sort = self.cleaned_data["sort"] or "featured"
        return BEST_MATCH if self.search and sort == "featured" else SORTS[sort][1]


def _as_begun(found: search.Search, after: str) -> search.Search:
    """The order that the earlier parts of the list had, by best match or not, however many products
    match now."""
    first, _, relevance = after.rpartition("~")
    return replace(found, ranked=relevance != str(UNRANKED)) if first else found
