"""Marks live parts of a page: `<div id="…" {% live "product" product.pk %}>` listens to its
topics."""

from collections.abc import Iterable

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.live import tokens

register = template.Library()


@register.simple_tag
def live_url() -> str:
    return settings.LIVE_URL


@register.simple_tag
def live(kind: str, *ids: object) -> SafeString:
    """`data-live` for `kind:id`, or with "*" for all of a kind; ids may be lists."""
    return live_topics([f"{kind}:{pk}" for pk in ids])


@register.simple_tag
def live_topics(topics: Iterable[str]) -> SafeString:
    """Without topics the part still refreshes with the page, and by polling."""
    topics = list(topics)
    return format_html('data-live="{}"', tokens.sign(topics) if topics else "")
