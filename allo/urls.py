from django.contrib import admin
from django.urls import include, path

from allo.site import metrics, pages
from allo.site.models import Page

handler400 = "allo.site.errors.bad_request"
handler403 = "allo.site.errors.forbidden"
handler404 = "allo.site.errors.not_found"
handler500 = "allo.site.errors.broken"

urlpatterns = [
    path("api/", include("allo.site.api")),
    path("admin/", admin.site.urls),
    path("", include("reservations.shop.product_urls")),
    path("", include("reservations.shop.urls")),
    path("", include("reservations.shop.waiting.urls")),
    path("checkout/", include("checkout.urls")),
    path("", include("checkout.orders.urls")),
    path("account/", include("allo.accounts.urls")),
    path("docs/", pages.docs, name="docs"),
    path("docs/design/", pages.docs_design, name="docs_design"),
    path("docs/<slug:slug>/", pages.docs, name="docs_page"),
    *(path(f"{slug}/", pages.page, {"slug": slug}, name=slug) for slug in Page.Slug.values),
    path("privacy/", pages.docs, {"slug": "privacy"}, name="privacy"),
    path("media/<path:path>", pages.media),
    path("robots.txt", pages.robots, name="robots"),
    path("sitemap.xml", pages.sitemap, name="sitemap"),
    path("livez", pages.livez),
    path("readyz", pages.readyz),
    path("metrics", metrics.page),
]
