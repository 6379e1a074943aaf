"""The staff's admin: Django's own, with a front page and an order that fit the shop."""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin import AdminSite
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve, reverse

from allo.staff.dashboard import dashboard
from allo.staff.login import ChangePasswordForm

# What staff look for, in this order; a model that is not named here comes under "More".
SECTIONS = {
    "Selling": ("reservations.Reservation", "reservations.StaffAction", "checkout.Contact"),
    "Catalogue": ("catalog.Product", "catalog.Category", "catalog.ProductSlug"),
    "Stock": (
        "inventory.Inventory",
        "inventory.StockMovement",
        "inventory.StockImport",
        "inventory.StockImportRow",
        "inventory.LowStock",
        "inventory.Warehouse",
    ),
    "Books": (
        "reservations.AuditRun",
        "reservations.Repair",
        "reservations.Sweep",
        "reservations.IdempotencyKey",
    ),
    "Access": (
        "auth.User",
        "auth.Group",
        "reservations.ApiToken",
        "admin.LogEntry",
        "axes.AccessAttempt",
        "axes.AccessLog",
    ),
}


class StaffSite(AdminSite):
    site_header = site_title = "Allo staff"
    index_title = "Today"
    index_template = "admin/index.html"
    # The frame has a navigation of its own, which needs no script.
    enable_nav_sidebar = False
    empty_value_display = "–"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        return context | {"sections": sections(context["available_apps"])}

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        return super().index(request, {**dashboard(request.user), **(extra_context or {})})

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Leads to `next` only if that is a page, and one that the person may see."""
        response = super().login(request, extra_context)
        if isinstance(response, HttpResponseRedirect) and not _may_be_shown(
            self, request, response.url
        ):
            return HttpResponseRedirect(reverse("admin:index"))
        return response

    def password_change(  # type: ignore[override]  # which says it never redirects
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=partial(ChangePasswordForm, request),
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)


# Addresses of the admin that show no page of their own.
NO_PAGES = {"login", "logout", "autocomplete", "jsi18n", "view_on_site"}
# What the pages of a model ask for, by the end of their names; the others ask for a look.
ASKED = {"add": "has_add_permission", "delete": "has_delete_permission"}


def _may_be_shown(site: AdminSite, request: HttpRequest, address: str) -> bool:
    """Pages with rules of their own say no themselves."""
    try:
        match = resolve(urlsplit(address).path)
    except Resolver404:
        return False
    # An address of the admin that nothing is behind resolves, too, but has no name.
    if not match.url_name or match.url_name in NO_PAGES:
        return False
    if match.url_name == "app_list":
        return bool(site.get_app_list(request, match.kwargs["app_label"]))
    if model_admin := getattr(match.func, "model_admin", None):
        asked = ASKED.get(match.url_name.rpartition("_")[2], "has_view_or_change_permission")
        return bool(getattr(model_admin, asked)(request))
    return True


def sections(apps: list[Any]) -> list[dict[str, Any]]:
    """The models that this user may see, by what they are for rather than by app."""
    models = {
        f"{app['app_label']}.{model['object_name']}": model
        for app in apps
        for model in app["models"]
    }
    found = {
        name: [models.pop(label) for label in labels if label in models]
        for name, labels in SECTIONS.items()
    }
    found["More"] = list(models.values())
    return [{"name": name, "models": listed} for name, listed in found.items() if listed]
