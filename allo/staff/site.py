"""Django's admin site with the shop's front page, sections and access rules."""

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

# The sections in their order; a model that is not listed here is under "More".
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
    # `templates/admin/base.html` has its own navigation, which needs no script.
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
        """Redirects to `next` only if it is a page that the user may see."""
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


# Addresses of the admin that are not pages.
NO_PAGES = {"login", "logout", "autocomplete", "jsi18n", "view_on_site"}
# The permission that a model's page needs, by the end of its name; others need "view".
ASKED = {"add": "has_add_permission", "delete": "has_delete_permission"}


def _may_be_shown(site: AdminSite, request: HttpRequest, address: str) -> bool:
    """Whether the user may open this page. Pages with rules of their own check again."""
    try:
        match = resolve(urlsplit(address).path)
    except Resolver404:
        return False
    # Unknown addresses below the admin resolve to its catch-all view, which has no name.
    if not match.url_name or match.url_name in NO_PAGES:
        return False
    if match.url_name == "app_list":
        return bool(site.get_app_list(request, match.kwargs["app_label"]))
    if model_admin := getattr(match.func, "model_admin", None):
        asked = ASKED.get(match.url_name.rpartition("_")[2], "has_view_or_change_permission")
        return bool(getattr(model_admin, asked)(request))
    return True


def sections(apps: list[Any]) -> list[dict[str, Any]]:
    """The models that this user may see, by section instead of by app."""
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
