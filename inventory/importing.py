"""Adjustments from a file: read, checked line by line, kept to be looked at, applied all or none.

The columns are product (slug), warehouse (code), change, reason, note; never a total.
"""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from itertools import islice
from typing import IO
from zipfile import ZipFile

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now
from openpyxl import load_workbook

from catalog.models import Product
from inventory import services
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import Inventory, StockImport, StockImportRow, StockMovement, Warehouse
from inventory.services import MAX_UNITS, PORTION, Adjustment

Reason = StockMovement.Reason
State = StockImport.State

MAX_BYTES = 10 * 2**20
# What an XLSX file may be unpacked to: an honest one of 50,000 rows is far below.
MAX_UNPACKED = 64 * 2**20
MAX_ROWS = 50_000
COLUMNS = ("product", "warehouse", "change", "reason", "note")
OPTIONAL = {"note"}
REASONS = {
    spelt: reason
    for reason in (Reason.RECEIVED, Reason.WRITTEN_OFF, *StockMovement.ADJUSTMENTS)
    for spelt in (reason.value, reason.label.lower())
}

DONE = """
    UPDATE inventory_stockimport SET done = %s, stirred_at = now()
    WHERE id = %s AND state = 'applying'
"""

Cells = list[str]


class Unreadable(Exception):
    """Why nothing can be made of a file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the file, as it is spelt there."""

    line: int
    product: str
    warehouse: str
    change: str
    reason: str
    note: str


# --- reading --------------------------------------------------------------------------------------


def read(file: IO[bytes]) -> list[Record]:
    """Raises `Unreadable`."""
    lines = _xlsx(file) if file.read(4) == b"PK\x03\x04" else _csv(file)
    places = _places(next(lines, []))
    records = (
        _record(number, cells, places) for number, cells in enumerate(lines, 2) if any(cells)
    )
    found = list(islice(records, MAX_ROWS + 1))
    if len(found) > MAX_ROWS:
        raise Unreadable(f"More than {MAX_ROWS:,} rows: split the file.")
    if not found:
        raise Unreadable("There are no rows in it.")
    return found


def _csv(file: IO[bytes]) -> Iterator[Cells]:
    file.seek(0)
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("It is neither XLSX nor UTF-8 text. Save it as “CSV UTF-8”.") from error
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        for cells in csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True):
            yield [_text(cell) for cell in cells]
    except csv.Error as error:
        raise Unreadable(f"It is no CSV that can be read: {error}.") from error


def _xlsx(file: IO[bytes]) -> Iterator[Cells]:
    try:
        if sum(part.file_size for part in ZipFile(file).infolist()) > MAX_UNPACKED:
            raise Unreadable("Unpacked it is too large.")
        # Formulas as they are written: what they once came to may be anything.
        sheet = load_workbook(file, read_only=True, keep_links=False).worksheets[0]
        sheet.reset_dimensions()
        for cells in sheet.iter_rows(max_col=30, values_only=True):
            yield [_text(cell) for cell in cells]
    except (Unreadable, GeneratorExit):
        raise
    except Exception as error:
        raise Unreadable("It is no XLSX file that can be read.") from error


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).replace("\0", "�").strip()


def _places(head: Cells) -> dict[str, int]:
    """Where each column is; others are left alone."""
    names = [name.lower() for name in head]
    for name in COLUMNS:
        if names.count(name) > 1 or (name not in names and name not in OPTIONAL):
            raise Unreadable(f"Its first line must name these columns, once: {', '.join(COLUMNS)}.")
    return {name: names.index(name) for name in COLUMNS if name in names}


def _record(number: int, cells: Cells, places: dict[str, int]) -> Record:
    values = {name: cells[at] if at < len(cells) else "" for name, at in places.items()}
    return Record(line=number, **{"note": "", **values})


# --- checking -------------------------------------------------------------------------------------


def check(*, records: list[Record], file_name: str, actor: User) -> StockImport:
    """Keeps the file as it was understood, with what is wrong with each line; changes no stock."""
    rows = list(_checked(records, file_name[:120]))
    with transaction.atomic():
        kept = StockImport.objects.create(
            file_name=file_name[:120],
            row_count=len(rows),
            error_count=sum(bool(row.error) for row in rows),
            actor=actor,
        )
        for row in rows:
            row.stock_import = kept
        StockImportRow.objects.bulk_create(rows, batch_size=PORTION)
    return kept


def _checked(records: list[Record], file_name: str) -> Iterator[StockImportRow]:
    stock = _Stock(records)
    lines: dict[int, int] = {}
    for record in records:
        row = stock.row_of(record)
        delta, reason = _whole(record.change), REASONS.get(record.reason.lower())
        error = _misspelt(record, delta, reason) if row else stock.missing(record)
        if row and not error:
            error = _refused(row, delta, reason, lines.setdefault(row.pk, record.line), record)
        yield StockImportRow(
            line=record.line,
            product=record.product[:80],
            warehouse=record.warehouse[:20],
            inventory=row,
            before=row.total_units if row else None,
            delta=delta,
            reason=(reason or record.reason)[:12],
            note=(record.note or file_name)[:200],
            error=error[:200],
        )


class _Stock:
    """What there is of the products that a file names."""

    def __init__(self, records: list[Record]) -> None:
        self._products = dict(Product.objects.values_list("slug", "pk"))
        self._warehouses = dict(Warehouse.objects.values_list("code", "pk"))
        named = {self._products.get(record.product) for record in records} - {None}
        self._rows = {
            (row.product_id, row.warehouse_id): row
            for portion in services.portions(list(named))
            for row in Inventory.objects.filter(product__in=portion).order_by()
        }

    def row_of(self, record: Record) -> Inventory | None:
        product = self._products.get(record.product)
        warehouse = self._warehouses.get(record.warehouse)
        return self._rows.get((product, warehouse)) if product and warehouse else None

    def missing(self, record: Record) -> str:
        if record.product not in self._products:
            return f"No product has the slug “{record.product[:80]}”."
        if record.warehouse not in self._warehouses:
            return f"No warehouse has the code “{record.warehouse[:20]}”."
        return "This product has no place in this warehouse yet: add it to the inventory."


def _whole(text: str) -> int | None:
    """A whole number within bounds, with a minus of any kind."""
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text := text.replace("−", "-")):
        return None
    number = int(text)
    return number if abs(number) <= MAX_UNITS else None


def _misspelt(record: Record, delta: int | None, reason: Reason | None) -> str:
    if record.change.startswith("="):
        return "The change is a formula: put its value there."
    if not delta:
        return f"The change must be a whole number such as 5 or -5, not “{record.change[:40]}”."
    if reason is None:
        known = ", ".join(dict.fromkeys(REASONS.values()))
        return f"The reason must be one of {known}."
    if (reason == Reason.RECEIVED and delta < 0) or (reason == Reason.WRITTEN_OFF and delta > 0):
        return f"What is {reason.label.lower()} cannot change stock by {delta:+d}."
    return "The note is longer than 200 characters." if len(record.note) > 200 else ""


def _refused(
    row: Inventory, delta: int | None, reason: Reason | None, first: int, record: Record
) -> str:
    if first != record.line:
        return f"Line {first} changes the same row already: put both into one."
    assert delta is not None
    assert reason is not None
    return str(services.refusal(row, Adjustment(row.pk, delta, reason)) or "")


# --- applying -------------------------------------------------------------------------------------


def begin(kept: StockImport) -> bool:
    """Marks it as being applied; False if it was applied, or somebody is at it."""
    free = StockImport.objects.free().filter(pk=kept.pk)
    return bool(free.update(state=State.APPLYING, done=0, trouble="", stirred_at=Now()))


def abandon(kept: StockImport, why: str) -> None:
    """Back to where it was; nothing was changed."""
    applying = StockImport.objects.filter(pk=kept.pk, state=State.APPLYING)
    applying.update(state=State.CHECKED, trouble=why[:200])


@contextmanager
def reported(kept: StockImport) -> Iterator[Callable[[int], None]]:
    """How far it is, for others to see: by a connection of its own, as what happens in the
    transaction is seen by nobody before it is over."""
    aside = connection.copy()
    try:
        with aside.cursor() as cursor:
            yield lambda done: cursor.execute(DONE, [done, kept.pk])
    finally:
        aside.close()


def prune() -> int:
    """Forgets what was checked a month ago and never applied."""
    old = StockImport.objects.filter(created_at__lt=Now() - timedelta(days=30))
    with transaction.atomic():
        # Under a lock, or one that somebody begins to apply at this moment would go as well.
        forgotten = old.exclude(state=State.APPLIED).select_for_update(skip_locked=True)
        deleted, _ = old.filter(pk__in=list(forgotten.values_list("pk", flat=True))).delete()
    return deleted


def apply(
    *, kept: StockImport, actor: User, progress: Callable[[int], None] = services.nobody_waits
) -> None:
    """All of it in one transaction, or nothing: then why not is kept with the import and with
    the lines that stood against it."""
    try:
        _apply(kept, actor, progress)
    except AlreadyDone:
        pass
    except StockError as refusal:
        abandon(kept, str(refusal))
    except Exception:
        abandon(kept, "Something went wrong; nothing was changed.")
        raise


def _apply(kept: StockImport, actor: User, progress: Callable[[int], None]) -> None:
    rows = list(kept.stockimportrow_set.order_by("line"))
    adjustments = [_adjustment(kept, row) for row in rows]
    try:
        with transaction.atomic():
            services.apply(adjustments=adjustments, actor=actor, progress=progress)
            # Whoever else was at it has found all of it done, or does now.
            if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
                state=State.APPLIED, applied_at=Now(), actor=actor
            ):
                raise AlreadyDone
    except Refused as refused:
        _keep_errors(kept, {rows[place].pk: str(e) for place, e in refused.errors.items()})


def _adjustment(kept: StockImport, row: StockImportRow) -> Adjustment:
    assert row.inventory_id is not None
    assert row.delta is not None
    return Adjustment(
        inventory_id=row.inventory_id,
        delta=row.delta,
        reason=Reason(row.reason),
        note=row.note,
        reference=kept.pk,
    )


@transaction.atomic
def _keep_errors(kept: StockImport, errors: dict[int, str]) -> None:
    # First, as it locks the import: another worker may have applied it since, and then it stays.
    if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
        state=State.CHECKED,
        error_count=len(errors),
        trouble="Stock has changed since it was checked; nothing was changed.",
    ):
        return
    rows = list(kept.stockimportrow_set.filter(pk__in=errors).select_related("inventory"))
    for row in rows:
        assert row.inventory is not None
        row.error = errors[row.pk]
        row.before = row.inventory.total_units
    StockImportRow.objects.bulk_update(rows, ["error", "before"], batch_size=200)
