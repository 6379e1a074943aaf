"""The JSON API: its calls, its schema, and its documentation for people."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from allo.api_kit import fresh, openapi
from allo.api_kit.api import Api, for_all_methods
from allo.api_kit.problems import MOST_BYTES
from allo.site import webhooks
from allo.site.reference import Reference
from allo.site.sources import SOURCES
from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from checkout.api.calls import router as purchases
from inventory.warehouses_api import router as warehouses
from reservations.api.calls import router as reservations
from reservations.api.openapi import SECURITY_SCHEMES
from reservations.api.products import router as products

DESCRIPTION = f"""\
The shop's rules for other programs: reserved units are really held for a few minutes, and never
sold twice.

Bodies are JSON (`application/json`, at most {MOST_BYTES // 1000} kB, no unknown fields); times are
UTC. Failures are `application/problem+json` with a stable `code`. Writing calls take an
`Idempotency-Key`, so that a retry after a lost answer acts once."""

api = Api(title="Allo", version="1", description=DESCRIPTION, urls_namespace="api")
api.add_router("/reservations", reservations)
api.add_router("/reservations", purchases)
api.add_router("", products)
api.add_router("", warehouses)


# The same for every caller, and read by many; strict, as they refuse parameters they do not know.
SHARED = {"products", "product", "warehouses"}


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    return openapi.complete(api, SECURITY_SCHEMES, webhooks.schemas())


@lru_cache(maxsize=1)
def reference() -> Reference:
    return Reference.of(schema())


@require_safe
@always_fresh
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/api.html", {"reference": reference(), "sources": SOURCES})


def openapi_json(request: HttpRequest) -> HttpResponse:
    return fresh.answer(request, schema())


def _calls() -> Iterator[URLPattern]:
    for pattern in api.patterns:
        if pattern.name in SHARED:
            vars(pattern.callback)["sharing"] = Sharing(strict=True, anyone=True)
        yield pattern


app_name = "api"
urlpatterns = [
    path("docs", docs, name="docs"),
    path("openapi.json", for_all_methods(require_safe(openapi_json)), name="openapi"),
    *_calls(),
]
