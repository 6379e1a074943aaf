from typing import Any

from django.contrib.sitemaps import GenericSitemap, Sitemap
from django.urls import reverse

from allo.site.models import Page
from allo.site.sources import SOURCES
from catalog.models import Product


class PageSitemap(Sitemap):  # type: ignore[type-arg]  # generic for type checkers alone
    def items(self) -> list[str]:
        documents = [source.url for source in SOURCES]
        written = [reverse(slug) for slug in Page.Slug.values]
        return [reverse("catalog:grid"), *written, *documents, reverse("api:docs")]

    def location(self, item: str) -> str:
        return item


SITEMAPS: dict[str, Any] = {
    "pages": PageSitemap,
    "products": GenericSitemap({"queryset": Product.objects.published().only("slug")}),
}
