"""Pages that belong to no app: docs, robots.txt, the sitemap."""

import re
from functools import partial

from django.conf import settings
from django.contrib.sitemaps import views as sitemaps
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe
from django.views.static import serve

from allo.site import docs as documents
from allo.site import health
from allo.site.models import Page
from allo.site.sitemaps import SITEMAPS
from allo.site.sources import SOURCES, source_of
from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared

HOUR = 3600
# A name with a hash of its content never changes its meaning.
_HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")
_FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
@always_fresh
@shared(Sharing())
def docs(request: HttpRequest, slug: str = "") -> HttpResponse:
    source = source_of(slug)
    if source is None:
        raise Http404("no such document")
    read = partial(documents.read, source)
    document = cache.get_or_set(f"docs:{source.path}", read, HOUR)
    context = {"document": document, "source": source, "sources": SOURCES}
    return render(request, "docs/page.html", context)


@require_safe
@always_fresh
@shared(Sharing())
def docs_design(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/design.html")


@require_safe
@always_fresh
@shared(Sharing())
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """A page that staff write, such as "Delivery"."""
    found = Page.objects.get(slug=slug)
    context = {"page": found, "document": documents.render(found.body), "seller": _seller(slug)}
    return render(request, "page.html", context)


def _seller(slug: str) -> dict[str, str] | None:
    """As on an invoice; None where it is not asked for, or not set."""
    if slug not in {Page.Slug.CONTACT, Page.Slug.TERMS} or not settings.SELLER_NAME:
        return None
    names = {"name": "SELLER_NAME", "address": "SELLER_ADDRESS", "gstin": "SELLER_GSTIN"}
    return {key: getattr(settings, name) for key, name in names.items()}


@require_safe
@never_cache
def livez(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    report = health.report()
    return JsonResponse(report, status=200 if report["ready"] else 503)


@require_safe
@cache_control(public=True, max_age=HOUR)
def robots(request: HttpRequest) -> HttpResponse:
    listed = request.build_absolute_uri(reverse("sitemap"))
    private = ("account", "admin", "bag", "checkout", "orders", "reservations", "waiting-list")
    closed = "".join(f"Disallow: /{path}/\n" for path in private)
    return HttpResponse(f"User-agent: *\n{closed}Sitemap: {listed}\n", content_type="text/plain")


@require_safe
@always_fresh
@shared(Sharing(anyone=True))
def sitemap(request: HttpRequest) -> HttpResponse:
    return sitemaps.sitemap(request, SITEMAPS)


@require_safe
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    response = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    response.headers["Cache-Control"] = _FOR_EVER if _HASHED.search(path) else f"max-age={HOUR}"
    return response
