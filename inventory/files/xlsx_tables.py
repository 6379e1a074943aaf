"""Workbooks: archives of XML. A few bytes can unpack to very much, so the sizes are checked
first."""

from collections.abc import Iterator
from itertools import islice
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from openpyxl import DEFUSEDXML, load_workbook
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

# `iter_rows` yields a row for every number that a sheet skips, which can be two billion.
from openpyxl.worksheet._reader import WorkSheetParser

from inventory.files.tables import MAX_COLUMNS, Row, Table, Unreadable, text_of

assert DEFUSEDXML, "openpyxl would expand entities: defusedxml is missing"

# A real workbook of 50,000 rows is far below each of these.
MAX_UNPACKED = 64 * 2**20
MAX_PARTS = 2000
MAX_SHEETS = 100
# The largest ratio of unpacked to packed size, checked from this many bytes on.
MAX_RATIO, RATIO_FROM = 200, 2 * 2**20
# The last row that any spreadsheet program allows.
LAST_ROW = 2**20


def xlsx_tables(file: IO[bytes]) -> tuple[list[Table], str]:
    """A table for each sheet, and no remark."""
    try:
        _check_archive(file)
        # Formulas are read as formulas: their stored results may be wrong.
        book = load_workbook(file, read_only=True, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if isinstance(sheet, ReadOnlyWorksheet)]
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise _broken() from error
    if len(sheets) > MAX_SHEETS:
        raise Unreadable(f"It has more than {MAX_SHEETS} sheets.")
    return [_table(sheet) for sheet in sheets], ""


def _check_archive(file: IO[bytes]) -> None:
    """Checks the sizes in the archive's directory; unpacking stops at these sizes."""
    packed = file.seek(0, 2)
    try:
        parts = list(islice(ZipFile(file).infolist(), MAX_PARTS + 1))
    except (BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise _broken() from error
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS:
        raise Unreadable(f"It has more than {MAX_PARTS:,} parts.")
    if unpacked > MAX_UNPACKED:
        raise Unreadable("Unpacked it is too large.")
    if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
        raise Unreadable("Unpacked it is too large for such a small file.")


def _table(sheet: ReadOnlyWorksheet) -> Table:
    return Table(sheet.title, lambda: _rows(sheet), hidden=sheet.sheet_state != "visible")


def _rows(sheet: ReadOnlyWorksheet) -> Iterator[Row]:
    last = 0
    try:
        for number, cells in _parse(sheet):
            if number <= last:
                raise Unreadable(f"The rows of the sheet “{sheet.title[:100]}” are not in order.")
            if number > LAST_ROW:
                raise Unreadable(f"It has rows beyond {LAST_ROW:,}, the last row of any sheet.")
            last = number
            yield number, _texts(cells)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise _broken() from error


def _parse(sheet: ReadOnlyWorksheet) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yields only rows and cells that exist in the file."""
    book = sheet.parent
    with sheet._get_source() as source:
        yield from WorkSheetParser(
            source,
            sheet._shared_strings,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        ).parse()


def _texts(cells: list[dict[str, Any]]) -> list[str]:
    there = {cell["column"]: _text(cell) for cell in cells if cell["column"] <= MAX_COLUMNS}
    return [there.get(column, "") for column in range(1, max(there, default=0) + 1)]


def _text(cell: dict[str, Any]) -> str:
    """Formulas of any kind begin with "="."""
    if cell["data_type"] == "f" and not isinstance(cell["value"], str):
        return text_of(getattr(cell["value"], "text", None) or "=")
    return text_of(cell["value"])


def _broken() -> Unreadable:
    return Unreadable("It is not an XLSX file that can be read.")
