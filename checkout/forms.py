from typing import Any

from django import forms
from django.utils import timezone

from checkout.models import Contact
from reservations.models import Reservation


class ContactForm(forms.Form):
    """Who pays, and where the receipt goes."""

    name = forms.CharField(max_length=120, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "email"})
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            # A page that is refreshed keeps what is being typed in it.
            for field in self.fields.values():
                field.widget.attrs["hx-preserve"] = "true"

    def keep(self, reservation: Reservation) -> None:
        """Keeps what was typed, valid or not, until it is sold: then it is what was agreed."""
        if reservation.status == Reservation.Status.CONFIRMED:
            return
        contact = Contact(
            reservation=reservation,
            name=self._typed("name", 120),
            email=self._typed("email", 254),
            changed_at=timezone.now(),
        )
        Contact.objects.bulk_create(
            [contact],
            update_conflicts=True,
            unique_fields=["reservation"],
            update_fields=["name", "email", "changed_at"],
        )

    def _typed(self, field: str, length: int) -> str:
        return str(self.data.get(field, "")).replace("\0", "").strip()[:length]
