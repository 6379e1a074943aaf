"""Who may try to sign in: django-axes counts, this says from where and what is answered."""

from ipaddress import ip_address
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from allo.http.address import client_network


def client_address(request: HttpRequest) -> str | None:
    """As the rest of the shop believes it: of IPv6 the network, whose owner has all of it."""
    address = client_network(request).partition("/")[0]
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """As it was typed, as far as there is room to count it."""
    typed = (credentials or {}).get("username") or request.POST.get("username", "")
    return str(typed).replace("\0", "")[:255]


def locked_out(
    request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    seconds = _seconds_left(name(request, credentials), client_address(request))
    context = {"minutes": -(-seconds // 60)}
    response = render(request, "admin/locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _seconds_left(username: str, address: str | None) -> int:
    attempts = AccessAttempt.objects.filter(username=username, ip_address=address)
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    left = last + settings.AXES_COOLOFF_TIME - timezone.now()
    return max(int(left.total_seconds()), 1)
