"""Redirects from a product's old addresses after its slug was changed."""

from collections.abc import Callable
from functools import wraps
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect

from catalog.models import ProductSlug

View = Callable[..., HttpResponse]


def slug_now(slug: str) -> str | None:
    """The current slug of the product that once had this one; None if there is none, or it is
    current."""
    now = ProductSlug.objects.filter(slug=slug).values_list("product__slug", flat=True).first()
    return None if now == slug else now


def follow_renames(view: View) -> View:
    """If `view` finds nothing under an old slug, it is called with the current one. A page is then
    redirected permanently; a form that was opened before is processed."""

    @wraps(view)
    def followed(request: HttpRequest, slug: str) -> HttpResponse:
        try:
            return view(request, slug)
        except Http404:
            now = slug_now(slug)
            if now is None:
                raise
        response = view(request, now)
        return moved(request, slug, now) if request.method in {"GET", "HEAD"} else response

    return followed


def moved(request: HttpRequest, slug: str, now: str) -> HttpResponse:
    """A redirect to the same address with the current slug."""
    path = "/".join(now if part == slug else part for part in request.path.split("/"))
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{quote(path)}?{query}" if query else quote(path))
