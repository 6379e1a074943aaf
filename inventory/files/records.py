"""Finds the table of a file and its heading, and reads the rows below it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

from inventory.files.csv_tables import csv_tables
from inventory.files.tables import Cells, Row, Table, Unreadable

MAX_ROWS = 50_000
# The heading has to be within these rows; titles and dates may stand above it.
HEAD_ROWS = 30
COLUMNS = ("product", "warehouse", "change", "reason", "note")
REQUIRED = COLUMNS[:4]

ZIP, OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Record:
    """One row as written. `line` is the line as in an editor, or the row of the sheet."""

    line: int
    product: str
    warehouse: str
    change: str
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class _Heading:
    line: int
    places: dict[str, int]
    width: int


def read(file: IO[bytes]) -> tuple[str, Iterator[Record]]:
    """A remark on the file, and its rows. Raises `Unreadable`, also while the rows are read."""
    tables, remark = _tables(file)
    table, heading = _the_one(tables)
    if len(tables) > 1 and not table.is_text:
        remark = f"Read from the sheet “{table.name[:100]}”, heading in row {heading.line}."
    return remark, _records(table, heading)


def _tables(file: IO[bytes]) -> tuple[list[Table], str]:
    file.seek(0)
    start = file.read(4)
    if start == OLD_WORKBOOK:
        raise Unreadable(
            "It is an old workbook (.xls), or one with a password: save it as .xlsx without one."
        )
    if start != ZIP:
        return csv_tables(file)
    # Imported here, as loading openpyxl takes longer than reading a short CSV.
    from inventory.files.xlsx_tables import xlsx_tables  # noqa: PLC0415

    return xlsx_tables(file)


def _the_one(tables: list[Table]) -> tuple[Table, _Heading]:
    """The only table with a heading and rows; for a text, the first delimiter that gives one."""
    found, complaints = [], []
    for table in tables:
        try:
            found.append((table, _heading(table)))
        except Unreadable as error:
            complaints.append(error)
    shown = [(table, heading) for table, heading in found if not table.hidden]
    if found and not shown:
        raise Unreadable(f"Its columns are on a hidden sheet, “{found[0][0].name[:100]}”: show it.")
    if not shown:
        raise max(complaints, key=_tells_most, default=_no_heading())
    filled = [pair for pair in shown if _is_filled(*pair)] if len(shown) > 1 else shown
    if len({table.name for table, _ in filled}) > 1:
        names = ", ".join(f"“{table.name[:30]}”" for table, _ in filled[:4])
        raise Unreadable(f"Several sheets have these columns: {names}. Leave only one of them.")
    return (filled or shown)[0]


def _tells_most(complaint: Unreadable) -> bool:
    return str(complaint) != str(_no_heading())


def _heading(table: Table) -> _Heading:
    """Raises `Unreadable`."""
    missed = _no_heading()
    for line, cells in islice(_filled(table.rows()), HEAD_ROWS):
        names = [name.lower() for name in cells]
        named = [name for name in REQUIRED if name in names]
        twice = [name for name in COLUMNS if names.count(name) > 1]
        if len(named) < len(REQUIRED):
            missed = _missing(line, named) if len(named) > 1 else missed
        elif twice:
            raise Unreadable(f"Its line {line} names a column twice: {', '.join(twice)}.")
        else:
            return _Heading(line, {n: names.index(n) for n in COLUMNS if n in names}, len(names))
    raise missed


def _no_heading() -> Unreadable:
    return Unreadable(
        f"None of its first {HEAD_ROWS} lines names these columns: {', '.join(REQUIRED)}."
    )


def _missing(line: int, named: list[str]) -> Unreadable:
    missing = ", ".join(name for name in REQUIRED if name not in named)
    return Unreadable(f"Its line {line} names {', '.join(named)}, but not {missing}.")


def _is_filled(table: Table, heading: _Heading) -> bool:
    return any(True for _ in _below(table, heading))


def _below(table: Table, heading: _Heading) -> Iterator[Row]:
    return (row for row in _filled(table.rows()) if row[0] > heading.line)


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    """Skips blank rows, however many, and continues after them."""
    return (row for row in rows if any(row[1]))


def _records(table: Table, heading: _Heading) -> Iterator[Record]:
    count = 0
    for count, (line, cells) in enumerate(_below(table, heading), 1):
        if count > MAX_ROWS:
            raise Unreadable(f"More than {MAX_ROWS:,} rows: split the file.")
        if table.is_text and any(cells[heading.width :]):
            raise Unreadable(
                f"Line {line} has more cells than the heading. A cell that contains the delimiter"
                " needs quotes around it."
            )
        yield _record(line, cells, heading.places)
    if not count:
        raise Unreadable("There are no rows in it.")


def _record(line: int, cells: Cells, places: dict[str, int]) -> Record:
    values = {name: cells[at] if at < len(cells) else "" for name, at in places.items()}
    return Record(line=line, **{"note": "", **values})
