"""Marks the parts of a page that listen: `<div id="…" {% live_topics topics %}>` refreshes itself
after a change of one of these topics."""

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
def live_topics(topics: Iterable[str]) -> SafeString:
    """Without topics the part still refreshes when another tab of its browser acts."""
    topics = list(topics)
    return format_html('data-live="{}"', tokens.sign(topics) if topics else "")
