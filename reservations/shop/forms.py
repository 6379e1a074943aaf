from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings

from catalog.models import Product
from inventory.models import Inventory
from reservations.engine.limits import share_of
from reservations.models import Reservation

# The maximum if no limit is set: more than any row has, and it fits a database integer.
MOST = 1_000_000
# The name of a warehouse, and the quantity held there.
NAME = "[-a-zA-Z0-9_]{1,20}"
SAW = f"{NAME}:[0-9]{{1,9}}"


class StockForm(forms.Form):
    """The warehouse to choose from; `stock` are its product's rows.

    A page names a row by its number, since a warehouse's code may change while the page is open. An
    address may name it by the code."""

    warehouse = forms.RegexField(f"^{NAME}$", required=False)

    def __init__(self, stock: list[Inventory], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stock = stock

    def clean_warehouse(self) -> str:
        """The row's number, "" for any."""
        name: str = self.cleaned_data["warehouse"]
        row = self._named(name)
        if name and not row:
            raise forms.ValidationError("This warehouse does not have it. Choose another one.")
        return str(row.pk) if row else ""

    def _named(self, name: str) -> Inventory | None:
        named = [row for row in self.stock if str(row.pk) == name]
        named += [row for row in self.stock if row.warehouse.code == name]
        return named[0] if named else None

    @property
    def chosen(self) -> Inventory | None:
        """The row to be shown as chosen; None for any."""
        return self._named(self["warehouse"].value() or "")

    @property
    def row(self) -> Inventory | None:
        """The row of the chosen warehouse; None for any."""
        return self._named(self.cleaned_data["warehouse"])


def most_of(*limits: int | None) -> int:
    """The least of these limits; 0 and None mean no limit."""
    return min(filter(None, limits), default=MOST)


def one_of_each_row(holds: Sequence[Reservation]) -> list[Reservation]:
    """The holds that a form changes: of several of one row the shopper's own, as an offer cannot
    grow, and the first to lapse."""
    chosen: dict[int, Reservation] = {}
    for hold in sorted(holds, key=lambda hold: hold.is_offer):
        chosen.setdefault(hold.inventory_id, hold)
    return [hold for hold in holds if hold in chosen.values()]


class ReserveForm(StockForm):
    """The warehouse, and the quantity in all; `live` is what the shopper already holds of the rows,
    `holds` what of it the form changes, `besides` the rest. A hidden field sends the holds back
    (`saw`), so that a hold is changed only if the shopper saw its current quantity."""

    held = forms.RegexField(f"^{SAW}(,{SAW})*$", required=False, max_length=1000)

    def __init__(
        self,
        stock: list[Inventory],
        *args: Any,
        product: Product | None = None,
        live: Sequence[Reservation] = (),
        **kwargs: Any,
    ) -> None:
        self.holds = holds = one_of_each_row(live)
        self.besides = [hold for hold in live if hold not in holds]
        if holds:
            first = {"warehouse": str(holds[0].inventory_id), "quantity": holds[0].quantity}
            kwargs["initial"] = first | (kwargs.get("initial") or {})
        super().__init__(stock, *args, **kwargs)
        self._price_now = product.price_paise if product else 0
        own = product.max_per_customer if product else None
        self.share = share_of(sum(row.total_units for row in stock))
        most = most_of(settings.RESERVATION_MAX_UNITS, self.share, own)
        if product and not product.is_published:
            most = 1
        # Whether the share of one shopper is what allows no more.
        self.by_share = most == self.share != own
        # A shopper may hold more than could be reserved now; it can still be reduced.
        most = max(most, *(hold.quantity for hold in holds)) if holds else most
        self.fields["quantity"] = forms.IntegerField(min_value=1, max_value=most, initial=1)

    @property
    def places(self) -> list[tuple[Inventory, int, int]]:
        """Each row, the quantity of it that the shopper holds, and what one costs there in paise: a
        hold keeps its price."""
        mine = {hold.inventory_id: (hold.quantity, hold.unit_paise) for hold in self.holds}
        return [(row, *mine.get(row.pk, (0, self._price_now))) for row in self.stock]

    @property
    def any_paise(self) -> int:
        """What one costs without a chosen warehouse: then the first hold is changed."""
        return next((each for _, mine, each in self.places if mine), self._price_now)

    @property
    def total_paise(self) -> int:
        """For the quantity that the form shows; for one unit if that is no number."""
        asked = str(self["quantity"].value() or "")
        prices = (each for row, _, each in self.places if row == self.chosen)
        each = next(prices, self.any_paise)
        return each * (int(asked) if asked.isdecimal() and len(asked) < 8 else 1)

    @property
    def shown(self) -> str:
        """What is held, as the value of the hidden field."""
        return ",".join(f"{row.pk}:{mine}" for row, mine, _ in self.places if mine)

    @property
    def saw(self) -> tuple[Inventory, int] | None:
        """The row whose hold is to be changed, and the quantity the shopper saw: the chosen row, or
        without a choice the first with a hold. None if nothing was held."""
        pairs = (pair.split(":") for pair in filter(None, self.cleaned_data["held"].split(",")))
        seen = {self._named(name): int(quantity) for name, quantity in pairs}
        rows = [self.row] if self.row else self.stock
        return next(((row, seen[row]) for row in rows if row in seen), None)
