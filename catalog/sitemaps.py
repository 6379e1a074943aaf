from typing import Any

from django.contrib.sitemaps import GenericSitemap, Sitemap
from django.urls import reverse

from catalog.models import Product


class PageSitemap(Sitemap):  # type: ignore[type-arg]  # generic for type checkers alone
    def items(self) -> list[str]:
        return ["catalog:grid", "docs"]

    def location(self, item: str) -> str:
        return reverse(item)


SITEMAPS: dict[str, Any] = {
    "pages": PageSitemap,
    "products": GenericSitemap({"queryset": Product.objects.published()}),
}
