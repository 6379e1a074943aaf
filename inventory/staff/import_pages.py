"""The admin's pages for files of adjustments: upload, preview, apply, progress. Only a worker reads
the files."""

import logging
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Page, Paginator
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from allo.admin_kit.base import ModelAdmin
from allo.web.names import name_is_visible, one_line
from allo.web.uploads import MOST_BYTES, MOST_MEGABYTES
from allo.web.worker import ask
from inventory import tasks
from inventory.files.records import COLUMNS, MAX_ROWS
from inventory.models import StockImport, StockImportRow
from inventory.staff import importing, uploads
from inventory.staff.checking import REASONS
from inventory.staff.importing import AppliedBefore
from inventory.staff.uploads import Full

logger = logging.getLogger(__name__)

# Longer files are applied by a worker, while the page shows the progress.
APPLIED_AT_ONCE = 500
ROWS_ON_A_PAGE = 100
WORKERS_AWAY = (
    "The workers cannot be reached. The file is kept and will be read when they are back."
)


class FileForm(forms.Form):
    file = forms.FileField(
        label="CSV or XLSX file",
        max_length=200,
        widget=forms.FileInput({"accept": ".csv,.xlsx,.txt"}),
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if file.size and file.size > MOST_BYTES:
            raise forms.ValidationError(f"More than {MOST_MEGABYTES} MB: split the file.")
        name_is_visible(file.name or "")
        return file


class ImportPages(ModelAdmin[StockImport]):
    change_form_template = "admin/inventory/stockimport/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload), name="inventory_stockimport_upload"),
            path(
                "<uuid:pk>/apply/",
                wrap(require_POST(self.apply)),
                name="inventory_stockimport_apply",
            ),
            *super().get_urls(),
        ]

    def upload(self, request: HttpRequest) -> HttpResponse:
        actor = _who_may(request)
        form = FileForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and (kept := _kept(form, actor)):
            if not ask(tasks.read_imports):
                self.message_user(request, WORKERS_AWAY, messages.WARNING)
            return HttpResponseRedirect(self._page_of(request, kept))
        return self.render_page(
            request,
            "admin/inventory/stockimport/upload.html",
            title="Import adjustments",
            form=form,
            columns=COLUMNS,
            reasons=dict.fromkeys(REASONS.values()),
            max_rows=MAX_ROWS,
        )

    def apply(self, request: HttpRequest, pk: Any) -> HttpResponse:
        actor = _who_may(request)
        kept = get_object_or_404(StockImport, pk=pk)
        try:
            begun = importing.begin(kept, again=_uuid(request.POST.get("again", "")))
        except AppliedBefore:
            self.message_user(request, "Nothing was changed: see below.", messages.WARNING)
            return HttpResponseRedirect(self._page_of(request, kept))
        if begun:
            self._apply(request, kept, actor)
        else:
            self.message_user(request, "This cannot be applied now.", messages.WARNING)
        return HttpResponseRedirect(self._page_of(request, kept))

    def _apply(self, request: HttpRequest, kept: StockImport, actor: User) -> None:
        if kept.row_count <= APPLIED_AT_ONCE:
            importing.apply(kept=kept, actor=actor)
        else:
            _hand_over(kept, actor)
        kept.refresh_from_db()
        self.log_change(request, kept, f"Apply: {kept.row_count} rows, {kept.state}")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        kept: StockImport = context["original"]
        if kept.is_read and "unread" in request.GET and request.headers.get("HX-Request"):
            # The file has been read: the whole page has to be loaded.
            return HttpResponseClientRedirect(self._page_of(request, kept))
        return super().render_change_form(request, context, *args, **more)

    def page_context(self, request: HttpRequest, row: StockImport) -> dict[str, Any]:
        return self._read_context(request, row) if row.is_read else {}

    def _read_context(self, request: HttpRequest, kept: StockImport) -> dict[str, Any]:
        may = request.user.has_perm("inventory.import_stock")
        free = StockImport.objects.free().filter(pk=kept.pk).exists()
        return {
            "page": _rows(kept, request.GET.get("p", "1")),
            "may_apply": may and free,
            "stopped": _has_stopped(kept),
            "twin": free and StockImport.objects.twins_of(kept).select_related("actor").first(),
        }

    def _page_of(self, request: HttpRequest, kept: StockImport) -> str:
        return self.keeping_filters(request, self.address("change", kept.pk))

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockImport]:
        return StockImport.objects.with_signs_of_life()

    def has_view_permission(self, request: HttpRequest, obj: StockImport | None = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm(
            "inventory.import_stock"
        )


def _who_may(request: HttpRequest) -> User:
    if not request.user.has_perm("inventory.import_stock"):
        raise PermissionDenied
    assert isinstance(request.user, User)
    return request.user


def _kept(form: FileForm, actor: User) -> StockImport | None:
    """The import of the form's file; None, and an error in the form, if no more are taken now."""
    file = form.cleaned_data["file"]
    try:
        return uploads.keep(file=file, file_name=one_line(file.name), actor=actor)
    except Full as full:
        form.add_error("file", str(full))
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _rows(kept: StockImport, number: str) -> Page[StockImportRow]:
    """Lines with errors first."""
    errors_first = Case(When(error="", then=Value(1)), default=Value(0))
    rows = kept.stockimportrow_set.order_by(errors_first, "line")
    return Paginator(rows, ROWS_ON_A_PAGE).get_page(number)


def _has_stopped(kept: StockImport) -> bool:
    """Whether what applied it has died, so nothing was changed. Handed over and not begun, it may
    still wait for a worker."""
    return kept.stalled and (kept.done > 0 or kept.row_count <= APPLIED_AT_ONCE)


def _hand_over(kept: StockImport, actor: User) -> None:
    # If it was queued all the same, that task finds the import abandoned, and does nothing.
    if not ask(tasks.apply_import, kept.pk, actor.pk):
        logger.warning("an import could not be queued")
        importing.abandon(kept, "The workers cannot be reached. Nothing was changed. Try again.")
