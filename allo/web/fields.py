"""Form fields that count and compare line breaks as one character."""

from typing import Any

from django import forms


class TextField(forms.CharField):
    """Text of several lines. A browser counts a line break as one character of `maxlength` but
    sends two, so text of the full length would be refused."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return super().to_python(one_break(value))


def one_break(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.replace("\r\n", "\n").replace("\r", "\n")
