from typing import Any
from uuid import UUID

from django import forms

from allo.web.names import name_is_visible
from checkout.contacts import Typed


class ContactForm(forms.Form):
    """The buyer's name, and the address for the receipt."""

    name = forms.CharField(
        max_length=120,
        validators=[name_is_visible],
        widget=forms.TextInput({"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "email"})
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            # A refresh of the page by htmx keeps what is being typed.
            for field in self.fields.values():
                field.widget.attrs["hx-preserve"] = "true"

    def typed(self, reservation_id: UUID) -> Typed:
        """What was typed, valid or not."""
        return Typed(reservation_id, self._typed("name", 120), self._typed("email", 254))

    def _typed(self, field: str, length: int) -> str:
        return str(self.data.get(field, "")).replace("\0", "").strip()[:length]
