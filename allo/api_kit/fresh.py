"""JSON responses to safe calls, with an ETag for conditional requests."""

import json
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

# Caches may store it but have to revalidate it each time, so stock is never out of date.
PUBLIC = "public, no-cache"
PRIVATE = "private, no-cache"


def encode(facts: Any) -> str:
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False)


def answer(request: HttpRequest, facts: Any, cache_control: str = PUBLIC) -> HttpResponse:
    """200, or 304 for a client that has this content. The ETag is a hash of the content."""
    body = encode(facts).encode()
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    response = (
        HttpResponseNotModified()
        if _has(request, etag)
        else HttpResponse(body, content_type="application/json")
    )
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = cache_control
    if cache_control == PRIVATE:
        patch_vary_headers(response, ("Authorization", "Cookie"))
    return response


def _has(request: HttpRequest, etag: str) -> bool:
    """Compared as weak tags, since a response that gzip compressed carries a weak one."""
    sent = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return "*" in sent or etag in {tag.removeprefix("W/") for tag in sent}
