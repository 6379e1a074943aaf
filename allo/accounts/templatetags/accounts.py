from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from allo.web.shared.holes import hole

register = template.Library()


@register.simple_tag(takes_context=True)
def account_link(context: dict[str, Any]) -> SafeString:
    """The link in the header: to the account, or to the page to sign in."""
    request = context["request"]
    inside = _link(request)
    return mark_safe(hole(request, "account", "", _link, inside))  # noqa: S308 - from a template


def _link(request: HttpRequest, _about: str = "") -> SafeString:
    signed_in = request.user.is_authenticated
    page, words = ("overview", "Account") if signed_in else ("sign_in", "Sign in")
    return format_html('<a href="{}">{}</a>', reverse(f"accounts:{page}"), words)
