"""Form fields for text."""

from typing import Any

from django import forms

from allo.web.names import LONGEST, is_visible, one_line, text_is_visible


class LineField(forms.CharField):
    """Text of one line, without what nobody sees; if there is nothing else, it is refused."""

    default_validators = [text_is_visible]

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text or "\0" in text or not is_visible(text):
            return text
        return one_line(text, self.max_length or LONGEST)


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
