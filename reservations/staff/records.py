"""Records of the shop and its staff, read-only in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.export import StreamedExport
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from allo.web.parts import SeeOther
from allo.web.worker import ask
from reservations.clock.tasks import audit_stock
from reservations.models import AdoptedHolder, AuditRun, IdempotencyKey, Repair, StaffAction, Sweep


@admin.register(StaffAction)
class StaffActionAdmin(
    Searched[StaffAction], StreamedExport[StaffAction], ReadOnlyAdmin[StaffAction]
):
    list_display = ("created_at", "actor", "action", "minutes", "reservation_id", "reason")
    list_filter = ("action",)
    list_select_related = ("actor",)
    sortable_by = ()
    search_fields = ("reason",)
    export_columns = {
        "when": "created_at",
        "actor": "actor",
        "action": "action",
        "minutes": "minutes",
        "reservation": "reservation_id",
        "reason": "reason",
    }

    def found(self, words: str) -> Q:
        """By words of the reason or by user name, each from an index."""
        actors = list(User.objects.filter(username=words).values_list("pk", flat=True))
        return Q(reason__icontains=words) | Q(actor__in=actors)


@admin.register(AdoptedHolder)
class AdoptedHolderAdmin(Searched[AdoptedHolder], ReadOnlyAdmin[AdoptedHolder]):
    """Visible to all who may see reservations."""

    list_display = ("holder", "account", "created_at")
    sortable_by = ()
    search_fields = ("holder", "account")

    def found(self, words: str) -> Q:
        """By the whole name of either holder, each from an index."""
        return Q(holder=words) | Q(account=words)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reservations.view_reservation")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin[IdempotencyKey]):
    # Without filters, whose choices would be gathered from every key there is. Not shown: with the
    # key a client can replay a reply, which may contain a bearer token.
    list_display = ("endpoint", "status", "client", "reservation", "created_at")
    list_select_related = ("reservation",)
    exclude = ("key", "request_hash", "body")


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin[Sweep]):
    list_display = ("finished_at", "expired", "max_lateness_seconds")


# The tasks that audit; apps above this one add theirs.
audits: list[Any] = [audit_stock]


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin[AuditRun]):
    """All audits with their findings, and a button to start one."""

    change_list_template = "admin/reservations/auditrun/change_list.html"
    list_display = ("finished_at", "books", "covers", "result", "took")
    sortable_by = ()
    fields = ("books", "started_at", "finished_at", "covers", "result", "found")

    @admin.display
    def result(self, run: AuditRun) -> SafeString:
        return flag(run, "bad" if run.findings else "good")

    @admin.display(description="Findings")
    def found(self, run: AuditRun) -> SafeString | str:
        lines = format_html_join("", '<li class="code">{}</li>', ((line,) for line in run.findings))
        return format_html('<ol class="findings">{}</ol>', lines) if run.findings else "None"

    @admin.display
    def covers(self, run: AuditRun) -> str:
        if run.since is None:
            return "Everything"
        return f"Sales since {date_format(timezone.localtime(run.since), 'DATETIME_FORMAT')}"

    @admin.display
    def took(self, run: AuditRun) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(self.run)
        return [path("run/", run, name="reservations_auditrun_run"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {"may_run": request.user.has_perm("reservations.run_audit"), "title": "Audit runs"}
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def run(self, request: HttpRequest) -> HttpResponse:
        """Queues whole audits for the worker, as they take long if the history is long."""
        if not request.user.has_perm("reservations.run_audit"):
            raise PermissionDenied
        if request.method == "POST":
            if all(ask(task, True) for task in audits):
                messages.success(request, "The audits have been requested. Reload in a moment.")
            else:
                messages.error(request, "The worker cannot be reached right now.")
        return SeeOther(self.back(request))


@admin.register(Repair)
class RepairAdmin(ReadOnlyAdmin[Repair]):
    list_display = ("created_at", "inventory", "found", "held")
    list_select_related = ("inventory__product", "inventory__warehouse")
