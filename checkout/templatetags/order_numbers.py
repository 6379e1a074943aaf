import re

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from checkout.models.order import NUMBER

register = template.Library()


@register.filter
def spelled(number: str) -> SafeString:
    """An order's number in its groups, which a screen reader says letter by letter. Only what is
    seen can be copied."""
    letters = " ".join(number.replace("-", ""))
    return format_html(
        '<data class="code order-code" value="{}"><span aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></data>',
        number, number, letters,
    )  # fmt: skip


@register.filter
def unbroken(words: str) -> SafeString:
    """Words with an order's number among them, which stays on one line."""
    whole = r'<span class="number">\g<0></span>'
    return mark_safe(re.sub(NUMBER.strip("^$"), whole, conditional_escape(words)))  # noqa: S308
