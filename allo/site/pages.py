"""Pages that belong to no part of the shop."""

import re

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe
from django.views.static import serve

from allo.site import docs as readme
from allo.site import health
from allo.web.parts import always_fresh

HOUR = 3600
# A name with its content's hash never means anything else.
_HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")
_FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
@always_fresh
def docs(request: HttpRequest) -> HttpResponse:
    document: readme.Document = cache.get_or_set("docs", _readme, HOUR)  # type: ignore[assignment]
    return render(request, "docs/readme.html", {"html": document.html, "toc": document.toc})


@require_safe
@always_fresh
def docs_design(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/design.html")


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
    sitemap = request.build_absolute_uri(reverse("sitemap"))
    closed = "".join(f"Disallow: /{path}/\n" for path in ("admin", "checkout", "reservations"))
    return HttpResponse(f"User-agent: *\n{closed}Sitemap: {sitemap}\n", content_type="text/plain")


@require_safe
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    response = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    response.headers["Cache-Control"] = _FOR_EVER if _HASHED.search(path) else f"max-age={HOUR}"
    return response


def _readme() -> readme.Document:
    return readme.render((settings.BASE_DIR / "README.md").read_text(encoding="utf-8"))
