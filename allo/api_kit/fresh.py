"""JSON answers to safe calls, with a tag by which a client asks whether anything changed."""

import json
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

# Anyone may keep it, and has to ask each time: stock is never told from a cache.
PUBLIC = "public, no-cache"
PRIVATE = "private, no-cache"


def encode(facts: Any) -> str:
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False)


def answer(request: HttpRequest, facts: Any, cache_control: str = PUBLIC) -> HttpResponse:
    """200 or, for a client that has just this, 304. The tag is the content's own hash: right
    whatever the answer was made of."""
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
    """Weakly compared: what went through gzip came with a weak tag."""
    sent = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return "*" in sent or etag in {tag.removeprefix("W/") for tag in sent}
