from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings

from inventory.models import Inventory
from reservations.models import Reservation

# Where no limit is set: more than any shelf holds, and it still fits the database's integer.
MOST = 1_000_000
# A warehouse and how many are held there.
SAW = "[-a-zA-Z0-9_]{1,20}:[0-9]{1,9}"


class ReserveForm(forms.Form):
    """Which warehouse, and how many in all; `stock` are the rows to choose from, `holds` what the
    shopper holds of them already. The form carries that, and brings it back as `saw`: the quantity
    of what is held is only changed from what the shopper had before the eyes."""

    warehouse = forms.ChoiceField(required=False)
    held = forms.RegexField(f"^{SAW}(,{SAW})*$", required=False, max_length=1000)

    def __init__(
        self,
        stock: list[Inventory],
        *args: Any,
        holds: Sequence[Reservation] = (),
        **kwargs: Any,
    ) -> None:
        if holds:
            held = {"warehouse": holds[0].inventory.warehouse.code, "quantity": holds[0].quantity}
            kwargs["initial"] = held | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.stock = stock
        self.holds = holds
        self.fields["warehouse"] = forms.ChoiceField(
            choices=[("", "Whichever has the most"), *self._warehouses()], required=False
        )
        self.fields["quantity"] = forms.IntegerField(
            min_value=1, max_value=settings.RESERVATION_MAX_UNITS or MOST, initial=1
        )

    def _warehouses(self) -> list[tuple[str, str]]:
        return [(row.warehouse.code, row.warehouse.name) for row in self.stock]

    @property
    def places(self) -> list[tuple[Inventory, int]]:
        """Each row, and how many of it the shopper holds."""
        mine = {hold.inventory_id: hold.quantity for hold in self.holds}
        return [(row, mine.get(row.pk, 0)) for row in self.stock]

    @property
    def shown(self) -> str:
        """What is held, for the form to carry."""
        return ",".join(f"{row.warehouse.code}:{mine}" for row, mine in self.places if mine)

    @property
    def saw(self) -> tuple[Inventory, int] | None:
        """The row whose hold is to change, and how many the shopper saw held there: the row that
        was chosen, for any the first that is held; None where nothing was held."""
        pairs = (pair.split(":") for pair in filter(None, self.cleaned_data["held"].split(",")))
        seen = {code: int(quantity) for code, quantity in pairs}
        rows = [self.row] if self.row else self.stock
        return next(((row, seen[c]) for row in rows if (c := row.warehouse.code) in seen), None)

    @property
    def row(self) -> Inventory | None:
        """The row of the warehouse that was chosen; None for any."""
        code = self.cleaned_data["warehouse"]
        return next((row for row in self.stock if row.warehouse.code == code), None)
