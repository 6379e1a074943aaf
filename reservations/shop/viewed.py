"""Cards of the products that a browser remembers; the shop does not store who saw what."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from reservations.availability import shown

# As in static/js/viewed.js: at most six keys.
_KEYS = re.compile(r"[1-9]\d{0,8}(\.[1-9]\d{0,8}){0,5}", re.ASCII)


@require_safe
@always_fresh
@shared(Sharing(query={"of": ""}, is_rare=lambda _: True))
def viewed(request: HttpRequest) -> HttpResponse:
    """Empty if none of them is in the shop any more."""
    of = request.GET.get("of", "")
    if not _KEYS.fullmatch(of):
        raise Http404("no such products")
    keys = [*dict.fromkeys(map(int, of.split(".")))]
    products = [product for product in shown(keys) if product.is_published]
    context = {"products": products, "keys": [product.pk for product in products]}
    return render(request, "catalog/viewed.html", context)
