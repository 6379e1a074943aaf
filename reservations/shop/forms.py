from typing import Any

from django import forms
from django.conf import settings

from inventory.models import Inventory

# Where no limit is set: more than any shelf holds, and it still fits the database's integer.
MOST = 1_000_000


class ReserveForm(forms.Form):
    """Which warehouse, and how many; `stock` are the rows to choose from."""

    warehouse = forms.ChoiceField(required=False)

    def __init__(self, stock: list[Inventory], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stock = stock
        self.fields["warehouse"] = forms.ChoiceField(
            choices=[("", "Wherever there is most"), *self._warehouses()], required=False
        )
        self.fields["quantity"] = forms.IntegerField(
            min_value=1, max_value=settings.RESERVATION_MAX_UNITS or MOST, initial=1
        )

    def _warehouses(self) -> list[tuple[str, str]]:
        return [(row.warehouse.code, row.warehouse.name) for row in self.stock]

    @property
    def row(self) -> Inventory | None:
        """The row of the warehouse that was chosen; None for any."""
        code = self.cleaned_data["warehouse"]
        return next((row for row in self.stock if row.warehouse.code == code), None)
