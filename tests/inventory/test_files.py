"""Reading files: where rows are found, their line numbers, and the limits on time and memory."""

from collections.abc import Callable
from io import BytesIO

import pytest

from allo import confined
from allo.confined import MEGABYTE, Failed, Limits, TooMuch
from inventory.files import reading
from inventory.files.tables import Unreadable
from tests.costs import cost_of
from tests.inventory.workbooks import HEAD, ROW, altered, in_sheet, with_strings, workbook

CSV = "product,warehouse,change,reason,note\n"


def read(content: str | bytes) -> list[tuple[int, str]]:
    """The line of each row, and its product."""
    data = content.encode() if isinstance(content, str) else content
    _, records = reading.read(data, lambda rows: None)
    return [(record.line, record.product) for record in records]


def refusal(content: str | bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        read(content)
    return str(refused.value)


# --- where the rows are ---------------------------------------------------------------------------


def test_a_row_is_in_the_line_that_an_editor_shows() -> None:
    text = CSV + '\n"a",b,1,received,"one\ntwo\nthree"\n\n\nb,b,1,received,\nc,b,1,received,\n'
    assert read(text) == [(3, "a"), (8, "b"), (9, "c")]
    assert read(text.replace("\n", "\r\n")) == [(3, "a"), (8, "b"), (9, "c")]


def test_a_row_is_in_the_row_that_the_sheet_shows() -> None:
    rows = [("Count of May",), (), HEAD, (), ("a", *ROW[1:]), (), ("b", *ROW[1:])]
    assert read(workbook(Stock=rows)) == [(5, "a"), (7, "b")]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("sep=;\r\n" + CSV.replace(",", ";") + "tidal;b;1;x;\r\n", 3),
        ('"sep=|"\n' + CSV.replace(",", "|") + "tidal|b|1|x|\n", 3),
        ("sep=,\n\n\nproduct,warehouse,change,reason\ntidal,b,1,x\n", 5),
        ("\n\n" + CSV + "tidal,b,1,x,\n", 4),
        ("Count of May, all shelves\n" + CSV + "tidal,b,1,x,\n", 3),
        ('"A title\nof two lines";;;\n' + CSV.replace(",", ";") + "tidal;b;1;x;\n", 4),
        (CSV + "tidal,b,1,x,\n" + ",,,,\n" * 1000, 2),
        (CSV + ",,,,\n" * 60_000 + "tidal,b,1,x,\n", 60_002),
        (CSV + "tidal,b,1,x,,, \n", 2),
        (workbook(Stock=[HEAD, (*ROW, "", "seen by R.")]), 2),
        (workbook(Notes=[("x",)], Stock=[HEAD, ROW], Empty=[]), 2),
        (workbook(Form=[HEAD], Stock=[HEAD, ROW]), 2),
        (workbook(("Old",), Old=[HEAD, ("old", *ROW[1:])], Stock=[HEAD, ROW]), 2),
        (workbook(Stock=[HEAD, ROW, *[("", "")] * 1000]), 2),
        (with_strings("<si><r><t>ti</t></r><r><t>dal</t></r></si>"), 2),
    ],
)
def test_rows_are_found_below_their_heading(content, line) -> None:
    assert read(content) == [(line, "tidal")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (workbook(A=[HEAD, ROW], B=[HEAD, ROW]), "Several sheets have these columns: “A”, “B”."),
        (workbook(("A",), A=[HEAD, ROW], B=[("x",)]), "on a hidden sheet, “A”: show it."),
        (workbook(A=[("x",)]), "None of its first 30 lines names these columns"),
        (workbook(A=[HEAD]), "There are no rows in it."),
        ("x\n" * 30 + CSV + "tidal,b,1,x,\n", "None of its first 30 lines names"),
        ("product,change\ntidal,1\n", "line 1 names product, change, but not warehouse, reason."),
        ("product,warehouse,change,reason,change\n", "Its line 1 names a column twice: change."),
        (CSV + 'a,b,1,x,\n\na,b,1,x,"x\n\n', "line 4: unexpected end of data"),
        (CSV + "a,b,1,x,\n\na,b,1,x,two, or three\n", "Line 4 has more cells than the heading."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old workbook (.xls), or one with a"),
    ],
)
def test_an_ambiguous_file_is_refused_with_the_reason(content, why) -> None:
    assert why in refusal(content)


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("cp1252", "Read as Windows-1252, as it is not UTF-8"),
    ],
)
def test_text_is_read_in_each_encoding_that_spreadsheets_write(encoding, remark) -> None:
    text = CSV.replace(",", "\t") + "tidal\tblr-01\t1\treceived\tCafé – 5 €\n"
    said, [record] = reading.read(text.encode(encoding), lambda rows: None)
    assert (record.line, record.product, record.note) == (2, "tidal", "Café – 5 €")
    assert remark in said
    assert bool(remark) == bool(said)


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode("utf-32"),
        b"\xff\xfe\x00",
        CSV.encode("utf-16")[:-1],
        CSV.encode("utf-16-le") + b"\0\xd8" * 9,
        CSV.encode() + b"\x81\x8d",
    ],
)
def test_text_in_an_unknown_encoding_is_refused(content) -> None:
    assert "neither XLSX nor text in UTF-8, UTF-16 or Windows-1252" in refusal(content)


def test_progress_is_reported_while_a_file_is_read() -> None:
    reported: list[int] = []
    reading.read((CSV + "tidal,b,1,x,\n" * 2500).encode(), reported.append)
    assert reported == [1000, 2000]


# --- what a file may cost -------------------------------------------------------------------------

# Each is ten of the one before: the last is a billion letters.
ENTITIES = [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9)]
LAUGHS = f'<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">{"".join(ENTITIES)}]>'

MERGED = '<mergeCell ref="A1:XFD1048576"/>'
SHARED = (
    f'<row r="9"><c r="A9"><f t="shared" si="0">{"A1+" * 100}A1</f></c>'
    + '<c r="A9"><f t="shared" si="0"/></c>' * 20_000
    + "</row>"
)
XF = "<xf/>" * 300_000 + "</cellXfs>"
TEXT = "<si><t>tidal</t></si>"
NAME = '<definedName name="a">A1</definedName>'
NAMES = f"<definedNames>{NAME * 40_000}</definedNames>"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = f'<sheet name="x" sheetId="1" xmlns:r="{RELATED}" r:id="rId1"/>'
SHEETS = SHEET * 15_000

MANY: dict[str, tuple[Callable[[], bytes], str]] = {
    "a gap of rows up to the last": (
        lambda: in_sheet('<row r="1048576"><c r="A1048576"><v>1</v></c></row>'),
        "1048576",
    ),
    "a row beyond the last": (
        lambda: in_sheet('<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'),
        "rows beyond 1,048,576",
    ),
    "a gap of columns": (
        lambda: in_sheet('<row r="5"><c r="XFD5"><v>1</v></c></row>'),
        "tidal",
    ),
    "a column beyond the last": (
        lambda: in_sheet('<row r="5"><c r="ZZZZ5"><v>1</v></c></row>'),
        "not an XLSX",
    ),
    "rows out of order": (lambda: in_sheet('<row r="9"/><row r="2"/>'), "not in order"),
    "a dimension that lies": (
        lambda: altered({"sheet1.xml": lambda text: text.replace("A1:D2", "A1:XFD1048576")}),
        "tidal",
    ),
    "blank rows": (lambda: in_sheet("<row/>" * 200_000), "more time|tidal"),
    "cells of one row": (lambda: in_sheet(f'<row r="9">{"<c/>" * 500_000}</row>'), "more "),
    "cells in cells": (
        lambda: in_sheet("<row>" + "<c>" * 150_000 + "</c>" * 150_000 + "</row>"),
        "more |tidal",
    ),
    "merged cells": (
        lambda: in_sheet(
            f"<mergeCells>{MERGED * 50_000}</mergeCells>",
            after_rows=True,
        ),
        "more time|tidal",
    ),
    "a password to hash": (
        lambda: in_sheet(f'<sheetProtection password="{"a" * 1_900_000}"/>', after_rows=True),
        "more time",
    ),
    "formulas that share": (lambda: in_sheet(SHARED), "more time"),
    "styles": (
        lambda: altered({"styles.xml": lambda s: s.replace("</cellXfs>", XF)}),
        "more ",
    ),
    "shared strings": (lambda: with_strings(TEXT * 60_000), "more |tidal"),
    "names": (
        lambda: altered({"workbook.xml": lambda s: s.replace("<definedNames />", NAMES)}),
        "more |tidal",
    ),
    "sheets": (
        lambda: altered({"workbook.xml": lambda s: s.replace("</sheets>", SHEETS + "</sheets>")}),
        "more ",
    ),
    "entities": (lambda: with_strings("<si><t>&a8;</t></si>", LAUGHS), "not an XLSX"),
    "entities in a sheet": (
        lambda: altered({"sheet1.xml": lambda s: LAUGHS + s.replace("tidal", "&a8;")}),
        "not an XLSX",
    ),
    "parts": (lambda: altered({}, {f"{n}": "" for n in range(2000)}), "more than 2,000 parts"),
    "what it unpacks to": (lambda: altered({}, {"x": "0" * 65 * MEGABYTE}), "is too large"),
    "how much of it is air": (lambda: altered({}, {"x": "0" * 4 * MEGABYTE}), "such a small file"),
}


@pytest.mark.parametrize("what", MANY)
def test_a_small_workbook_with_many_of_something_costs_little(what) -> None:
    """Accepted or refused, it needs no more than the allowed time and memory."""
    make, words = MANY[what]
    content = make()
    allowed = reading.limits(len(content))
    answer, seconds, megabytes = cost_of("inventory.files", content, allowed)
    assert any(word in answer for word in words.split("|")), answer
    share = len(content) / MEGABYTE
    assert share < 0.3
    # A whole second more than the limit: the system counts in seconds, from the program's start.
    assert seconds <= 2 + 20 * share
    assert megabytes <= 100 + 200 * share


TEXTS = {
    "one line": (CSV + "x" * 9 * MEGABYTE, "Line 2 is longer than 20,000 characters."),
    "one field": (CSV + '"' + "x\n" * 4 * MEGABYTE, "field larger than field limit"),
    "nothing but separators": ("," * 9 * MEGABYTE, "Line 1 is longer than 20,000"),
    "nothing but line ends": ("\n" * 200_000, "None of its first 30 lines names"),
    "rows": (CSV + "a,b,1,x,\n" * 50_001, "More than 50,000 rows: split the file."),
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_text_with_too_much_of_something_is_refused(what) -> None:
    content, why = TEXTS[what]
    assert why in refusal(content)


@pytest.mark.parametrize("part", ["sheet1.xml", "workbook.xml", "styles.xml", "Types].xml"])
def test_a_workbook_that_is_broken_anywhere_is_refused(part) -> None:
    assert refusal(altered({part: lambda text: text[: len(text) // 2]})).startswith(
        "It is not an XLSX"
    )


# --- the program's own limits ---------------------------------------------------------------------


def run(body: str, tmp_path, monkeypatch, limits: Limits) -> bytes:
    (tmp_path / "hostile.py").write_text(
        "import sys, time\nfrom allo import confined\n"
        f"with confined.limited():\n    print('begun', flush=True)\n    {body}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with confined.running("hostile", BytesIO(b"seen"), limits) as output:
        return output.read()


ROOMY = Limits(cpu_seconds=20, memory=300 * MEGABYTE, wall_seconds=60)


@pytest.mark.parametrize(
    ("body", "limits", "of"),
    [
        ("while True: pass", Limits(0.1, 300 * MEGABYTE, 60), "time"),
        ("time.sleep(600)", Limits(20, 300 * MEGABYTE, 0.5), "time"),
        ("[bytearray(2**20) for _ in range(200)]", Limits(20, 50 * MEGABYTE, 60), "memory"),
    ],
)
def test_a_program_that_takes_too_much_is_ended(tmp_path, monkeypatch, body, limits, of) -> None:
    with pytest.raises(TooMuch) as ended:
        run(body, tmp_path, monkeypatch, limits)
    assert ended.value.of == of


def test_the_same_program_within_its_limits_succeeds(tmp_path, monkeypatch) -> None:
    """The control: the limits ended the others, nothing else."""
    body = "print(len([bytearray(2**20) for _ in range(200)]), sys.stdin.read())"
    assert run(body, tmp_path, monkeypatch, ROOMY) == b"begun\n200 seen\n"


def test_a_partial_result_is_not_used(tmp_path, monkeypatch) -> None:
    with pytest.raises(Failed):
        run("sys.exit(3)", tmp_path, monkeypatch, ROOMY)


def test_error_output_of_the_program_is_no_result(tmp_path, monkeypatch) -> None:
    """Its standard error is a file, like the shop's logs."""
    body = "print('oh', file=sys.stderr)"
    assert run(body, tmp_path, monkeypatch, ROOMY) == b"begun\n"


def test_the_program_has_none_of_the_shops_secrets(tmp_path, monkeypatch) -> None:
    body = "import os; print(sorted({'SECRET_KEY', 'DATABASE_URL', 'REDIS_URL'} & set(os.environ)))"
    assert run(body, tmp_path, monkeypatch, ROOMY) == b"begun\n[]\n"
