from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.models import Product
from catalog.openings import in_words

register = template.Library()

register.filter("opening_words", in_words)


@register.simple_tag
def until_opening(product: Product) -> SafeString:
    """The attributes of a `<time>` that counts down to the opening: see `opening.js`."""
    assert product.opens_at
    return format_html(
        'datetime="{}" data-opens="{}" data-opens-at="{}" data-lead="in "',
        product.opens_at.isoformat(),
        product.pk,
        f"{product.opens_at.timestamp():.6f}",
    )


@register.filter
def parts_left(product: Product) -> list[tuple[str, str, bool]]:
    """The parts of the time until the opening: days, hours, minutes and seconds, each with its name
    and whether it is shown. Days and hours are hidden once they are 0."""
    minutes, seconds = divmod(max(product.seconds_to_opening, 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return [
        (f"{days:02}", "days", days > 0),
        (f"{hours:02}", "hours", days + hours > 0),
        (f"{minutes:02}", "minutes", True),
        (f"{seconds:02}", "seconds", True),
    ]
