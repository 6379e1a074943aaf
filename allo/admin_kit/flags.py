"""A state in words, as a label in the admin's lists."""

from django.utils.html import format_html
from django.utils.safestring import SafeString


def flag(words: object, kind: str = "") -> SafeString:
    """`kind` is "good", "bad", "live" or nothing."""
    return format_html('<span class="flag{}">{}</span>', f" flag-{kind}" if kind else "", words)
