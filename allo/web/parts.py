"""Pages and parts of pages: the same view and context, for a browser and for htmx."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

# Stock is never shown from a cache; Back may still show the page that was left.
always_fresh = cache_control(private=True, no_cache=True)
# Somebody's holds: not on disk, not behind Back.
never_stored = cache_control(private=True, no_store=True)

BUSY = 503
# What a page says of each reason for it, and when to come again, in seconds.
_BUSY_PAGES = {"busy": ("busy.html", 2), "storage": ("storage.html", 60)}


class Request(HttpRequest):
    htmx: HtmxDetails


class SeeOther(HttpResponseRedirect):
    """What follows a POST is a GET, and a reload of that posts nothing."""

    status_code = 303


def wants_part(request: Request) -> bool:
    """A page that htmx restores from history, or boosts, is a whole page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted


def render_part(
    request: Request, template: str, part: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """The template, or only its partial `part` if that is what the browser will put in place."""
    name = f"{template}#{part}" if wants_part(request) else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target", "HX-History-Restore-Request"))
    if status == BUSY:
        _, seconds = _busy_page(getattr(context.get("refusal"), "code", ""))
        response.headers["Retry-After"] = str(seconds)
    return response


def holds_changed(response: HttpResponse) -> HttpResponse:
    """Parts of the page that show holds or stock, but were not swapped, fetch themselves anew."""
    return trigger_client_event(response, "holds-changed")


def go_to(request: Request, location: str) -> HttpResponse:
    """The whole browser goes there, also when htmx asked."""
    return HttpResponseClientRedirect(location) if request.htmx else SeeOther(location)


def busy(request: HttpRequest, code: str) -> HttpResponse:
    """`code` is the refusal's."""
    template, seconds = _busy_page(code)
    return _later(request, template, BUSY, seconds)


def _busy_page(code: str) -> tuple[str, int]:
    return _BUSY_PAGES.get(code, _BUSY_PAGES["busy"])


def too_many(request: HttpRequest, retry_after: int) -> HttpResponse:
    return _later(request, "429.html", 429, retry_after)


def _later(request: HttpRequest, template: str, status: int, retry_after: int) -> HttpResponse:
    response = render(request, template, {"retry_after": retry_after}, status=status)
    response.headers["Retry-After"] = str(retry_after)
    return response
