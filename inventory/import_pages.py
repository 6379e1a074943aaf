"""The admin's pages for files of adjustments: upload, preview, apply, progress."""

import logging
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Page, Paginator
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from kombu.exceptions import OperationalError as BrokerError

from allo.http.admin import ModelAdmin
from inventory import importing, tasks
from inventory.importing import MAX_BYTES, MAX_ROWS, Unreadable
from inventory.models import StockImport, StockImportRow

logger = logging.getLogger(__name__)

# Longer files are applied by the clock's workers, while the page says how far they are.
APPLIED_AT_ONCE = 500
ROWS_ON_A_PAGE = 100


class FileForm(forms.Form):
    file = forms.FileField(
        label="CSV or XLSX file",
        max_length=200,
        widget=forms.FileInput({"accept": ".csv,.xlsx,.txt"}),
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if file.size and file.size > MAX_BYTES:
            raise forms.ValidationError(f"More than {MAX_BYTES // 2**20} MB: split the file.")
        assert file.file
        try:
            self.records = importing.read(file.file)
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from error
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
        if request.method == "POST" and form.is_valid():
            name = form.cleaned_data["file"].name.replace("\0", "")
            kept = importing.check(records=form.records, file_name=name, actor=actor)
            return HttpResponseRedirect(_page_of(kept))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import adjustments",
            "form": form,
            "media": self.media,
            "columns": importing.COLUMNS,
            "reasons": dict.fromkeys(importing.REASONS.values()),
            "max_rows": MAX_ROWS,
        }
        return render(request, "admin/inventory/stockimport/upload.html", context)

    def apply(self, request: HttpRequest, pk: Any) -> HttpResponse:
        actor = _who_may(request)
        kept = get_object_or_404(StockImport, pk=pk)
        if not importing.begin(kept):
            self.message_user(request, "This cannot be applied now.", messages.WARNING)
        elif kept.row_count <= APPLIED_AT_ONCE:
            importing.apply(kept=kept, actor=actor)
        else:
            _hand_over(kept, actor)
        self._log_if_applied(request, kept)
        return HttpResponseRedirect(_page_of(kept))

    def _log_if_applied(self, request: HttpRequest, kept: StockImport) -> None:
        kept.refresh_from_db()
        self.log_change(request, kept, f"Apply: {kept.row_count} rows, {kept.state}")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        kept = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if kept:
            free = kept.stalled or kept.state == StockImport.State.CHECKED
            may = request.user.has_perm("inventory.import_stock")
            more = {
                "page": _rows(kept, request.GET.get("p", "1")),
                "may_apply": may and free and not kept.error_count,
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockImport]:
        return StockImport.objects.with_stalled()

    def has_view_permission(self, request: HttpRequest, obj: StockImport | None = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm(
            "inventory.import_stock"
        )


def _who_may(request: HttpRequest) -> User:
    if not request.user.has_perm("inventory.import_stock"):
        raise PermissionDenied
    assert isinstance(request.user, User)
    return request.user


def _page_of(kept: StockImport) -> str:
    return reverse("admin:inventory_stockimport_change", args=[kept.pk])


def _rows(kept: StockImport, number: str) -> Page[StockImportRow]:
    """Lines with errors first."""
    errors_first = Case(When(error="", then=Value(1)), default=Value(0))
    rows = kept.stockimportrow_set.order_by(errors_first, "line")
    return Paginator(rows, ROWS_ON_A_PAGE).get_page(number)


def _hand_over(kept: StockImport, actor: User) -> None:
    try:
        tasks.apply_import.apply_async((kept.pk, actor.pk), retry=False)
    except BrokerError as error:
        logger.warning("an import was not handed over: %s", type(error).__name__)
        importing.abandon(kept, "The workers cannot be reached; nothing was changed. Try again.")
