from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """A time in the past, for example 27 Nov 2026, 01:36."""
    local = timezone.localtime(at)
    words = date_format(local, "j M Y, H:i")
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), words)
