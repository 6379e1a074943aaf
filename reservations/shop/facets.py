"""The filters of a list, with the number of products that each choice would show."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    IntegerField,
    JSONField,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.lookups import LessThanOrEqual

from allo.postgresql.counting import UpTo
from catalog.choices import COLOURS, MATERIALS, PRICES
from catalog.forms import GridForm
from catalog.models import Category, Product, ProductQuerySet
from inventory.availability import conditions, is_free

FILTERS = ("category", "in_stock", "price", "material", "colour")
# To count more products would be to read them: a search that finds more has no counts, and a longer
# list is "over" this long.
MOST_COUNTED = 5000

# By choice, as in an address; "" is what is shown now. A choice counts what it would show alone in
# its filter: what only that filter leaves out, too.
Counts = dict[str, int]


class Counted(Subquery):
    """The counts of these products, which are read once."""

    template = """(
        WITH found AS MATERIALIZED (%(subquery)s)
        SELECT coalesce(jsonb_object_agg(choice, products), '{}')
        FROM (
            SELECT choice, count(*) AS products
            FROM found, LATERAL (
                SELECT '' AS choice, 0 AS own
                UNION ALL SELECT 'category=', off_category
                UNION ALL SELECT 'category=' || its_category, off_category
                UNION ALL SELECT 'in_stock=1', off_in_stock WHERE its_in_stock
                UNION ALL SELECT 'price=' || its_price, off_price
                UNION ALL SELECT 'material=' || material, off_material
                    FROM unnest(its_material) AS material
                UNION ALL SELECT 'colour=' || its_colour, off_colour WHERE its_colour <> ''
            ) AS choices
            WHERE own = off_category + off_in_stock + off_price + off_material + off_colour
            GROUP BY choice
        ) AS counted
    )"""
    output_field = JSONField()


@dataclass(frozen=True, slots=True)
class Choice:
    """`products` is None if they are too many to count."""

    name: str
    value: str
    label: str
    products: int | None
    is_set: bool
    # By which an open page finds its label when staff change it; see static/js/stock.js.
    same: str = ""

    @property
    def is_empty(self) -> bool:
        return self.products == 0 and not self.is_set


def counted(form: GridForm) -> tuple[list[Category], Counts | None]:
    """All categories, and the counts, in one query; None if more than MOST_COUNTED are found."""
    found = form.searched(Product.objects.published()).order_by()
    is_short: Any = LessThanOrEqual(UpTo(found.values("pk")[: MOST_COUNTED + 1]), MOST_COUNTED)
    counts = Case(When(is_short, then=Counted(_read(found, conditions(form)))))
    categories: list[Any] = [*Category.objects.annotate(products=counts)]
    return categories, categories[0].products if categories else {}


def of(form: GridForm, counts: Counts | None) -> dict[str, list[Choice]]:
    """The choices of each filter but categories."""
    labels = {
        "in_stock": {"1": "In stock only"},
        "price": {key: label for key, (label, *_) in PRICES.items()},
        "material": MATERIALS,
        "colour": COLOURS,
    }
    active = form.active()
    return {
        name: choices(name, its.items(), counts, _texts(active.get(name, "")))
        for name, its in labels.items()
    }


def choices(
    name: str, labels: Iterable[tuple[str, str]], counts: Counts | None, chosen: Collection[str]
) -> list[Choice]:
    def products(value: str) -> int | None:
        return None if counts is None else counts.get(f"{name}={value}", 0)

    return [
        Choice(name, value, label, products(value), is_set=value in chosen)
        for value, label in labels
    ]


def _texts(value: Any) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _read(found: ProductQuerySet, left_out: Mapping[str, Any]) -> Any:
    """Of each product that a search finds: what it is, and which filters leave it out."""
    its: dict[str, Any] = {
        "category": F("category__slug"),
        "in_stock": ExpressionWrapper(is_free(), BooleanField()),
        "price": _price(),
        "material": F("materials"),
        "colour": F("colour"),
    }
    columns = {f"its_{name}": its[name] for name in FILTERS}
    columns |= {f"off_{name}": _is_off(left_out, name) for name in FILTERS}
    return found.values(**columns)


def _is_off(set_filters: Mapping[str, Any], name: str) -> Any:
    if name not in set_filters:
        return Value(0, IntegerField())
    return Case(When(set_filters[name], then=0), default=1, output_field=IntegerField())


def _price() -> Case:
    whens = (
        When(price_paise__gte=least, price_paise__lt=most, then=Value(key))
        for key, (_, least, most) in PRICES.items()
    )
    return Case(*whens, output_field=TextField())
