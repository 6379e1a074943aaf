"""Responses with a page or only a part of it: the same view and context for browsers and htmx."""

import time
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

# Stock is never shown from a cache, but the browser's Back may show the previous page.
always_fresh = cache_control(private=True, no_cache=True)
# A shopper's holds must not be stored on disk or shown by Back.
never_stored = cache_control(private=True, no_store=True)

TOO_MANY, BUSY = 429, 503
# For a page that answers where htmx requested a part: that part, the title and the address stay as
# they are, and offline.js sends again what was pressed.
PART_STAYS = {"HX-Reswap": "none ignoreTitle:true", "HX-Push-Url": "false"}
# A page that stays open for longer gets its part anew with the next poll, and so new tokens, which
# count for twice as long (`allo.live.tokens`).
RENEWED_SECONDS = 6 * 3600
# By refusal code: the page, and Retry-After in seconds.
_BUSY_PAGES = {"busy": ("busy.html", 2), "storage": ("storage.html", 60)}


class Request(HttpRequest):
    htmx: HtmxDetails


class SeeOther(HttpResponseRedirect):
    """After a POST the browser loads the page with GET, so that a reload does not post again."""

    status_code = 303


def wants_part(request: Request) -> bool:
    """False for requests of htmx that need the whole page: history restores and boosted links."""
    htmx = request.htmx
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted


def seen_of(state: object) -> str:
    """A hash of what a page shows, and the second in which it was made. Its polling sends both
    back."""
    return f"{sha256(str(state).encode()).hexdigest()[:16]}.{int(time.time())}"


def is_shown(request: Request, seen: str) -> bool:
    """Whether the page that polls shows that already, and its tokens are not old: then 204 leaves
    it as it is."""
    shown, _, at = request.GET.get("seen", "").partition(".")
    if shown != seen.partition(".")[0] or not wants_part(request):
        return False
    try:
        return time.time() - int(at) < RENEWED_SECONDS
    except ValueError:
        return False


def render_part(
    request: Request, template: str, part: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Renders the template, or only its partial `part` if htmx will swap it in."""
    name = f"{template}#{part}" if wants_part(request) else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target", "HX-History-Restore-Request"))
    if status in (TOO_MANY, BUSY):
        response.headers["Retry-After"] = str(_seconds(context.get("refusal")))
    return response


def _seconds(refusal: Any) -> int:
    """After which it is worth to try again."""
    return getattr(refusal, "retry_after", 0) or _busy_page(getattr(refusal, "code", ""))[1]


def holds_changed(response: HttpResponse) -> HttpResponse:
    """Makes the page's other parts that show holds or stock refresh themselves."""
    return trigger_client_event(response, "holds-changed")


def go_to(request: Request, location: str) -> HttpResponse:
    """Redirects the whole browser, also after a request of htmx."""
    return HttpResponseClientRedirect(location) if request.htmx else SeeOther(location)


def busy(request: HttpRequest, code: str) -> HttpResponse:
    """The busy page for a refusal's `code`."""
    template, seconds = _busy_page(code)
    return leave_part(_later(request, template, BUSY, seconds))


def leave_part(response: HttpResponse) -> HttpResponse:
    for header in PART_STAYS.items():
        response.headers.setdefault(*header)
    return response


def _busy_page(code: str) -> tuple[str, int]:
    return _BUSY_PAGES.get(code, _BUSY_PAGES["busy"])


def too_many(request: HttpRequest, retry_after: int) -> HttpResponse:
    return _later(request, "429.html", TOO_MANY, retry_after)


def _later(request: HttpRequest, template: str, status: int, retry_after: int) -> HttpResponse:
    response = render(request, template, {"retry_after": retry_after}, status=status)
    response.headers["Retry-After"] = str(retry_after)
    return response
