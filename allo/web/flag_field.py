"""A form field for on or off in an address."""

from typing import Any

from django import forms

ON = ("1", "true", "on", "yes")
OFF = ("", "0", "false", "off", "no")


class FlagField(forms.Field):
    """True or False; other values are an error. Django's own field treats any value as on, so that
    `?in_stock=0` would mean on."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> bool:
        return flag(str(value or ""))


def flag(value: str) -> bool:
    """Raises ValidationError."""
    word = value.strip().lower()
    if word not in ON + OFF:
        raise forms.ValidationError("Give true or false.")
    return word in ON
