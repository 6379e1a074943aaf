"""How many units there are of products. Stock is read from its own rows, never by a lookup from the
product: `catalog` knows nothing of `inventory`."""

from typing import Any, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now

from catalog.forms import GridForm
from catalog.models import ProductQuerySet
from inventory.free import FOR_LIST, FREE
from inventory.models import Inventory, InventoryQuerySet

Products = TypeVar("Products", bound=ProductQuerySet)


def with_stock(products: Products) -> Products:
    """Annotates `total`, `available` and `run`: units over all warehouses."""
    return products.annotate(
        total=_sum_of(F("total_units")), available=_sum_of(FREE), run=_sum_of(F("run_units"))
    )


def with_rows(products: Products) -> Products:
    """Annotates `stock_rows`, the numbers of each row as "key:total:taken", and `read_at`: the
    database's time at which they were read."""
    numbers = Func(
        Value(":"), "pk", "total_units", F("total_units") - FREE,
        function="concat_ws", output_field=TextField(),
    )  # fmt: skip
    rows = rows_of_each().order_by("pk").annotate(numbers=numbers).values("numbers")
    return products.annotate(stock_rows=ArraySubquery(rows), read_at=Now())


def rows_of_each() -> InventoryQuerySet:
    """A subquery: the rows of the outer query's product."""
    return Inventory.objects.filter(product=OuterRef("pk"))


def is_free() -> Exists:
    """Whether a unit of the product can be reserved, in a query of products."""
    return Exists(rows_of_each().filter(~FOR_LIST, total_units__gt=F("reserved_units")))


def conditions(form: GridForm) -> dict[str, Any]:
    """The condition of each filter of the grid that is set, by its name."""
    wanted: dict[str, Any] = {**form.conditions()}
    if form.cleaned_data["in_stock"]:
        wanted["in_stock"] = is_free()
    return wanted


def selected(products: ProductQuerySet, form: GridForm) -> ProductQuerySet:
    """The products that the grid's form searches for and does not filter out."""
    return form.searched(products).filter(*conditions(form).values())


def _sum_of(units: Combinable) -> Coalesce:
    sums = rows_of_each().order_by().values("product").annotate(units=Sum(units)).values("units")
    return Coalesce(Subquery(sums, output_field=IntegerField()), 0)
