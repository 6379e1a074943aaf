"""The staff's admin: Django's own, with a front page and an order that fit the shop."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from reservations.dashboard import dashboard

# What staff look for, in this order; a model that is not named here comes under "More".
SECTIONS = {
    "Selling": ("reservations.Reservation", "reservations.StaffAction", "checkout.Contact"),
    "Catalogue": ("catalog.Product", "catalog.Category"),
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
