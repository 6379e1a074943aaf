"""Fields of forms, of the shop and of the admin, that count and compare as a person does."""

from typing import Any

from django import forms


class TextField(forms.CharField):
    """Text of several lines. A browser counts a line break as one character towards `maxlength`
    and sends it as two, which would be one too many for whoever used all the room there is."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return super().to_python(one_break(value))


def one_break(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.replace("\r\n", "\n").replace("\r", "\n")
