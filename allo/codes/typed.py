"""Codes as people type and paste them."""

import re
import unicodedata

from django import forms
from django.core.exceptions import ValidationError

from allo.codes.secret import DIGITS

# Six digits that stand alone, also as "123 456" or "123-456", and not within a longer number.
ALONE = re.compile(r"(?<!\d)(?<!\d[\s.\-–])\d{3}[\s.\-–]?\d{3}(?![\s.\-–]?\d)")
LONGEST_TYPED = 200
NO_CODE = "A code has six digits, such as 123 456."


def digits_in(typed: str) -> str:
    """The code in what was typed or pasted, such as "Your code is 123 456"; "" if there is none, or
    more than one."""
    plain = unicodedata.normalize("NFKC", typed)
    found = {_digits(match) for match in ALONE.findall(plain)}
    if len(found) == 1:
        return found.pop()
    digits = _digits(plain)
    return digits if not found and len(digits) == DIGITS else ""


def _digits(text: str) -> str:
    """In any script: keyboards of India write more than one kind of digit."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


class CodeField(forms.CharField):
    """Becomes the six digits."""

    widget = forms.TextInput(
        {
            "autocomplete": "one-time-code",
            "inputmode": "numeric",
            "autocapitalize": "off",
            "spellcheck": "false",
        }
    )

    def __init__(self, **more: object) -> None:
        told = {"label": "Code", "max_length": LONGEST_TYPED}
        super().__init__(**{**told, **more})  # type: ignore[arg-type]

    def clean(self, value: object) -> str:
        typed = super().clean(value)
        digits = digits_in(typed)
        if typed and not digits:
            raise ValidationError(NO_CODE)
        return digits
