from typing import Any

from django import forms
from django.conf import settings

from allo.outbox.fields import MailField
from catalog.models import Product
from inventory.models import Inventory
from reservations.shop.forms import StockForm, most_of


class JoinForm(StockForm):
    """How many units, from which warehouse, and the address for the mail, unless `address` is that
    of an account."""

    fewer = forms.BooleanField(
        label="If fewer come back, I take those", required=False, initial=True
    )
    email = MailField()

    def __init__(
        self, stock: list[Inventory], product: Product, address: str, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(stock, *args, **kwargs)
        self.address = address
        most = most_of(settings.RESERVATION_MAX_UNITS, product.max_per_customer)
        self.fields["quantity"] = forms.IntegerField(
            label="How many", min_value=1, max_value=most, initial=1
        )
        self.order_fields(("quantity", "fewer", "email", "warehouse"))
        if address:
            del self.fields["email"]

    @property
    def asked(self) -> dict[str, Any]:
        """For `services.join`."""
        row = self.row
        return {
            "warehouse_id": row.warehouse_id if row else None,
            "quantity": self.cleaned_data["quantity"],
            "exactly": not self.cleaned_data["fewer"],
            "email": self.address or self.cleaned_data["email"],
        }
