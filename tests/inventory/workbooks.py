"""Workbooks for tests: written by openpyxl, then with some parts replaced."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook

HEAD = ("product", "warehouse", "change", "reason")
ROW = ("tidal", "blr-01", 1, "received")

Sheet = Iterable[tuple[Any, ...]]
Change = Callable[[str], str]


def workbook(hidden: tuple[str, ...] = (), **sheets: Sheet) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    return _saved(book)


def altered(parts: dict[str, Change], more: dict[str, str] | None = None) -> bytes:
    """A normal workbook of one row, with these parts rewritten."""
    before, after = BytesIO(workbook(Stock=[HEAD, ROW])), BytesIO()
    with ZipFile(before) as honest, ZipFile(after, "w", ZIP_DEFLATED, compresslevel=9) as file:
        for name in honest.namelist():
            text = honest.read(name).decode()
            for end, change in parts.items():
                text = change(text) if name.endswith(end) else text
            file.writestr(name, text)
        for name, text in (more or {}).items():
            file.writestr(name, text)
    return after.getvalue()


SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHARED_STRINGS = (
    '<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)


def with_strings(xml: str, doctype: str = "") -> bytes:
    """A workbook with shared strings, as Excel writes them; the first is the product."""
    inline, shared = 't="inlineStr"><is><t>tidal</t></is>', 't="s"><v>0</v>'
    return altered(
        {
            "Types].xml": lambda text: text.replace("</Types>", SHARED_STRINGS),
            "sheet1.xml": lambda text: text.replace(inline, shared),
        },
        {"xl/sharedStrings.xml": f'{doctype}<sst xmlns="{SPACE}">{xml}</sst>'},
    )


def in_sheet(xml: str, *, after_rows: bool = False) -> bytes:
    """A normal workbook with this inserted among, or below, the rows of its sheet."""
    place = "</sheetData>"
    put = f"{place}{xml}" if after_rows else f"{xml}{place}"
    return altered({"sheet1.xml": lambda text: text.replace(place, put)})


def _saved(book: Workbook) -> bytes:
    file = BytesIO()
    book.save(file)
    return file.getvalue()
