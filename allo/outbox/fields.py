"""Form fields for addresses that mail is sent to."""

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from allo.outbox.addresses import LONGEST, BadAddress, checked

NO_ADDRESS = "This is not an e-mail address, such as asha@example.org."


class MailField(forms.EmailField):
    """Refuses also what forms of addresses allow and mail does not, with one reason at a time.
    Invisible characters, which come with what is copied, are left out: no address has any."""

    def __init__(self, **more: Any) -> None:
        told = {
            "label": "E-mail",
            "max_length": LONGEST,
            "widget": forms.EmailInput({"autocomplete": "email"}),
            "error_messages": {"invalid": NO_ADDRESS},
        }
        super().__init__(**{**told, **more})

    def to_python(self, value: Any) -> str:
        text = "".join(c for c in str(value or "") if unicodedata.category(c) != "Cf")
        return str(super().to_python(text))

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        try:
            checked(value)
        except BadAddress as error:
            raise ValidationError(str(error)) from None
