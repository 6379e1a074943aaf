"""Exports a list of the admin, filtered as shown, as CSV or XLSX."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from tempfile import TemporaryFile
from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.cache import never_cache

from allo.admin_kit.base import ModelAdmin

Row = TypeVar("Row", bound=Model)
Cells = list[Any]

# Server-side cursors do not work behind a pooler, so rows are fetched in pages by key.
ROWS_AT_ONCE = 2000
XLSX_AT_MOST = 50_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Without it Excel does not recognise UTF-8.
BYTE_ORDER_MARK = "\ufeff"
# A spreadsheet treats a text that begins with one of these as a formula; the wide ones in Japanese.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# No cell of a sheet may have these, as XML may not.
UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class StreamedExport(ModelAdmin[Row]):
    """Gives a list "Export CSV" and "Export XLSX". `export_columns` names each column and where
    its value is: a dotted path from the row, or a function of it."""

    export_columns: ClassVar[Mapping[str, str | Callable[[Any], Any]]]
    change_list_template = "admin/exported_change_list.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(never_cache(self.export))
        return [path("export/<str:kind>/", view, name=name), *super().get_urls()]

    def export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """All pages of the list at the same address without `export/…`, ordered by key."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            rows = self.exported(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self.address("changelist") + "?e=1")
        if kind != "xlsx":
            return csv_of(self._table(rows), self._name())
        if rows.order_by()[: XLSX_AT_MOST + 1].count() > XLSX_AT_MOST:
            self.message_user(
                request,
                f"More than {XLSX_AT_MOST:,} rows are too many for one sheet: filter the list,"
                " or export it as CSV.",
                messages.ERROR,
            )
            return HttpResponseRedirect(f"{self.address('changelist')}?{request.GET.urlencode()}")
        return self._xlsx(rows)

    def exported(self, request: HttpRequest) -> QuerySet[Row]:
        """The rows of the list, independent of the page shown."""
        asked = request.GET.copy()
        for parameter in ("p", "all", "e"):
            asked.pop(parameter, None)
        request.GET = asked  # type: ignore[assignment]
        return self.get_changelist_instance(request).get_queryset(request)

    def _xlsx(self, rows: QuerySet[Row]) -> FileResponse:
        # Imported here, as it would take a tenth of the start of each process.
        from openpyxl import Workbook  # noqa: PLC0415

        book = Workbook(write_only=True)
        sheet = book.create_sheet(str(self.opts.verbose_name_plural)[:31])
        for cells in self._table(rows):
            sheet.append(cells)
        file = TemporaryFile()  # noqa: SIM115 -- the response closes it
        book.save(file)
        file.seek(0)
        return FileResponse(
            file, as_attachment=True, filename=f"{self._name()}.xlsx", content_type=XLSX
        )

    def _name(self) -> str:
        return f"{self.opts.model_name}-{timezone.localdate()}"

    def _table(self, rows: QuerySet[Row]) -> Iterator[Cells]:
        yield list(self.export_columns)
        values = [get if callable(get) else attrgetter(get) for get in self.export_columns.values()]
        for row in by_key(rows):
            yield [cell(value(row)) for value in values]


def csv_of(table: Iterable[Cells], name: str) -> StreamingHttpResponse:
    """A table, its cells made by `cell`, as a file that is sent while it is made."""
    lines = csv.writer(_Echo())
    text = (lines.writerow(cells) for cells in table)
    response = StreamingHttpResponse(
        chain([BYTE_ORDER_MARK], _in_pieces(text)), content_type="text/csv; charset=utf-8"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def by_key(rows: QuerySet[Row]) -> Iterator[Row]:
    """All rows in the order of their keys, `ROWS_AT_ONCE` of them in memory."""
    rows = rows.order_by("pk")
    found = list(rows[:ROWS_AT_ONCE])
    while found:
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        found = list(rows.filter(pk__gt=found[-1].pk)[:ROWS_AT_ONCE])


def cell(value: Any) -> Any:
    """A value as it is written to a file, so that no program runs it as a formula."""
    if value is None or isinstance(value, (int, Decimal)):
        return value
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    text = UNWRITABLE.sub("", str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


class _Echo:
    """A file-like object whose `write` returns the text."""

    def write(self, text: str) -> str:
        return text


def _in_pieces(lines: Iterable[str], size: int = 500) -> Iterator[str]:
    """Joins lines to larger pieces, since sending each costs a system call."""
    piece: list[str] = []
    for line in lines:
        piece.append(line)
        if len(piece) == size:
            yield "".join(piece)
            piece.clear()
    yield "".join(piece)
