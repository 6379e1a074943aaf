"""Redirects from old addresses after the slug of a product or a category was changed."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect

from catalog.models import Category, CategorySlug, Product, ProductSlug

View = Callable[..., HttpResponse]


class NoSuchCategory(Http404):
    """A list was requested for a category that no longer exists under this slug."""

    def __init__(self, slug: str) -> None:
        super().__init__("no such category")
        self.slug = slug


def slug_now(slug: str) -> str | None:
    """The current slug of the product that once had this one; None if there is none, or if it is
    the current one."""
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


def follow_categories(view: View) -> View:
    """If `view` raises `NoSuchCategory` for a category's old slug, its address redirects
    permanently to the one with the current slug."""

    @wraps(view)
    def followed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NoSuchCategory as missing:
            kept = CategorySlug.objects.filter(slug=missing.slug)
            now = kept.values_list("category__slug", flat=True).first()
            if now is None:
                raise
        query = request.GET.copy()
        query["category"] = now
        return HttpResponsePermanentRedirect(f"{quote(request.path)}?{query.urlencode()}")

    return followed


def moved(request: HttpRequest, slug: str, now: str) -> HttpResponse:
    """A redirect to the same address with the current slug."""
    path = "/".join(now if part == slug else part for part in request.path.split("/"))
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{quote(path)}?{query}" if query else quote(path))


def refuse_used(slug: str, of: Product | Category) -> None:
    """Raises `ValidationError` for a slug that another product or category once had, as old links
    with it still lead there."""
    others = type(of).objects.filter(slugs__slug=slug).exclude(pk=of.pk)
    if other := others.exclude(slug=slug).first():
        raise ValidationError(
            f"This was the slug of “{other}”, and old links to it still lead there."
        )
