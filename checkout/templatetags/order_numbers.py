from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

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
