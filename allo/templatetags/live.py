"""Marks what a page listens to: `<div id="…" {% live "reservation" reservation.pk %}>` refreshes
itself when that changes, and in `<ol {% hears "product" products %}>` scripts set what messages
say."""

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
    """`data-live` for `kind:id`, of one holder's page."""
    return live_topics([f"{kind}:{pk}" for pk in ids])


@register.simple_tag
def live_topics(topics: Iterable[str]) -> SafeString:
    """Without topics the part still refreshes when another tab of its browser acts."""
    topics = list(topics)
    return format_html('data-live="{}"', tokens.sign(topics) if topics else "")


@register.simple_tag
def hears(kind: str, ids: Iterable[object]) -> SafeString:
    """`data-hears` for what anyone may hear, on pages that anyone may keep open."""
    topics = [f"{kind}:{pk}" for pk in ids]
    return format_html('data-hears="{}"', tokens.sign_shared(topics)) if topics else SafeString()
