"""Checks each row of a file against the current stock."""

import re
from collections.abc import Iterator

from allo.web.names import is_visible
from catalog.models import ProductSlug
from inventory.adjustments import MAX_UNITS, Adjustment, portions, refusal
from inventory.files.records import Record
from inventory.models import Inventory, StockImport, StockImportRow, StockMovement, Warehouse

Reason = StockMovement.Reason
# Product, warehouse, change, reason and note.
Meaning = tuple[str, str, int | None, Reason | None, str]

REASONS = {
    spelt: reason
    for reason in (Reason.RECEIVED, Reason.WRITTEN_OFF, *StockMovement.ADJUSTMENTS)
    for spelt in (reason.value, reason.label.lower())
}


def checked(records: list[Record], kept: StockImport) -> Iterator[StockImportRow]:
    """Yields each row of a file as it was read, with its error."""
    stock = _Stock(records)
    lines: dict[int, int] = {}
    for record in records:
        row = stock.row_of(record)
        _, _, delta, reason, _ = meaning_of(record)
        error = _misspelt(record, delta, reason) if row else stock.missing(record)
        if row and not error:
            error = _refused(row, delta, reason, lines.setdefault(row.pk, record.line), record)
        yield StockImportRow(
            stock_import=kept,
            line=record.line,
            product=record.product[:80],
            warehouse=record.warehouse[:20],
            inventory=row,
            before=row.total_units if row else None,
            delta=delta,
            reason=(reason or record.reason)[:12],
            note=(record.note or kept.file_name)[:200],
            error=error[:200],
        )


def meaning_of(record: Record) -> Meaning:
    """The record's meaning, independent of spelling."""
    delta, reason = _whole(record.change), REASONS.get(record.reason.lower())
    return record.product, record.warehouse, delta, reason, record.note


class _Stock:
    """The products, warehouses and inventory rows that a file names."""

    def __init__(self, records: list[Record]) -> None:
        # Old slugs too: a file may be older than a product's current slug.
        self._products = dict(ProductSlug.objects.values_list("slug", "product"))
        self._warehouses = dict(Warehouse.objects.values_list("code", "pk"))
        named = {self._products.get(record.product) for record in records} - {None}
        self._rows = {
            (row.product_id, row.warehouse_id): row
            for portion in portions(list(named))
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
        return "The change is a formula. Replace it with its value."
    if not delta:
        return f"The change must be a whole number such as 5 or -5, not “{record.change[:40]}”."
    if reason is None:
        known = ", ".join(dict.fromkeys(REASONS.values()))
        return f"The reason must be one of {known}."
    if (reason == Reason.RECEIVED and delta < 0) or (reason == Reason.WRITTEN_OFF and delta > 0):
        return f"What is {reason.label.lower()} cannot change stock by {delta:+d}."
    if record.note and not is_visible(record.note):
        return "The note has no visible character."
    return "The note is longer than 200 characters." if len(record.note) > 200 else ""


def _refused(
    row: Inventory, delta: int | None, reason: Reason | None, first: int, record: Record
) -> str:
    if first != record.line:
        return f"Line {first} already changes the same row. Combine both in one line."
    assert delta is not None
    assert reason is not None
    return str(refusal(row, Adjustment(row.pk, delta, reason)) or "")
