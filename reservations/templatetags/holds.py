from typing import Any
from uuid import uuid4

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from allo.live.message import micros
from allo.web.shared.holes import hole
from allo.web.shared.keys import SHARED
from catalog.models import Product
from reservations.admission import ends
from reservations.shop import holders
from reservations.shop.panel import header_holds, mine, mine_of, panel, tallies

register = template.Library()


@register.simple_tag(takes_context=True)
def live_holds(context: dict[str, Any]) -> SafeString:
    """This shopper's holds, for the header; no query for a visitor without cookies."""
    request = context["request"]
    inside = header_holds(request)
    return mark_safe(hole(request, "holds", "", header_holds, inside))  # noqa: S308 - from a template


@register.simple_tag(takes_context=True)
def shown_hold(context: dict[str, Any]) -> str:
    """Goes into the address of the page's stream: when the newest hold was made, in microseconds.
    The stream does not tell the page of it again, as all parts of the page show it."""
    made = [micros(hold.created_at) for hold in holders.live_holds(context["request"])]
    return f"?shown={max(made)}" if made else ""


@register.simple_tag(takes_context=True)
def my_holds(context: dict[str, Any], product: Product) -> SafeString:
    """This shopper's holds of a product."""
    request = context["request"]
    inside = mine(request, product)
    return mark_safe(hole(request, "mine", str(product.pk), mine_of, inside))  # noqa: S308


@register.simple_tag(takes_context=True)
def staff_tallies(context: dict[str, Any], product: Product) -> SafeString:
    """For staff who may see the stock: codes of warehouses, and what is left and held in each."""
    request, about = context["request"], str(product.pk)
    inside = "" if SHARED in request.META else tallies(request, about)
    return mark_safe(hole(request, "tallies", about, tallies, inside))  # noqa: S308 - from a template


@register.simple_tag
def hold_length() -> str:
    """How long a reservation holds: "10 minutes"."""
    seconds: int = settings.RESERVATION_TTL_SECONDS
    number, unit = (seconds, "second") if seconds % 60 else (seconds // 60, "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"


@register.filter
def has_waiting_room(product: Product) -> bool:
    """Now or later."""
    return product.opens_at is not None and not ends(product.opens_at)


@register.simple_tag(takes_context=True)
def once_only(context: dict[str, Any]) -> SafeString:
    """A form's hidden fields by which it is accepted, and acts once."""
    request = context["request"]
    inside = "" if SHARED in request.META else _token_and_key(request)
    return mark_safe(hole(request, "once-only", "", _token_and_key, inside))  # noqa: S308


def _token_and_key(request: HttpRequest, _about: str = "") -> str:
    fields = {"csrfmiddlewaretoken": get_token(request), "idempotency_key": uuid4()}
    return format_html_join("\n", '<input type="hidden" name="{}" value="{}">', fields.items())


@register.inclusion_tag("reservations/_panel.html", takes_context=True)
def reserve_panel(context: dict[str, Any], product: Product) -> dict[str, Any]:
    return {"request": context["request"], **panel(product)}
