"""CSV as spreadsheets write it, read line by line, never as a whole."""

import codecs
import csv
import re
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO

from inventory.files.tables import MAX_COLUMNS, Row, Table, Unreadable, text_of

DELIMITERS = ",;\t|"
MAX_LINE = 20_000
CHUNK = 2**16
# The line by which Excel recognises the delimiter, and which it does not show.
SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
BOMS = {
    codecs.BOM_UTF32_LE: "",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WINDOWS = "cp1252"
REMARK = "Read as Windows-1252, as it is not UTF-8: check the accents in the notes."


def csv_tables(file: IO[bytes]) -> tuple[list[Table], str]:
    """The text read with each possible delimiter, and a remark on the file."""
    encoding = _encoding(file)
    given = SEPARATOR.fullmatch(_Lines(file, encoding).next_or_empty())
    delimiters = given[1] if given else DELIMITERS
    tables = [_table(file, encoding, delimiter, skip=bool(given)) for delimiter in delimiters]
    return tables, REMARK if encoding == WINDOWS else ""


def _table(file: IO[bytes], encoding: str, delimiter: str, *, skip: bool) -> Table:
    return Table("the file", lambda: _rows(_Lines(file, encoding), delimiter, skip), is_text=True)


def _rows(lines: "_Lines", delimiter: str, skip: bool) -> Iterator[Row]:
    if skip:
        lines.next_or_empty()
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        # The line where the row begins: cells with line breaks make it longer.
        line = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Unreadable(
                f"It is not a CSV file that can be read: line {line}: {error}."
            ) from error
        except UnicodeDecodeError as error:
            raise _unknown_letters() from error
        if cells is None:
            return
        yield line, [text_of(cell) for cell in cells[:MAX_COLUMNS]]


class _Lines:
    """Lines with their line ends, numbered as in an editor, and limited in length."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        file.seek(0)
        self._text = TextIOWrapper(_Kept(file), encoding, newline="")  # type: ignore[type-var]
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE + 1)
        self.number += bool(line)
        if len(line) > MAX_LINE:
            raise Unreadable(f"Line {self.number} is longer than {MAX_LINE:,} characters.")
        if not line:
            raise StopIteration
        return line

    def next_or_empty(self) -> str:
        try:
            return next(self, "")
        except UnicodeDecodeError as error:
            raise _unknown_letters() from error


class _Kept:
    """A file that stays open when its reader is discarded, so that it can be read again."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.read = self.read1 = file.read

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _encoding(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(4)
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding or _refuse()
    # UTF-16 without a byte order mark: one byte of its first letter, a Latin one, is zero.
    if len(head) == 4 and (head[1::2] == b"\0\0" or head[::2] == b"\0\0"):
        return "utf-16-le" if head[1] == 0 else "utf-16-be"
    return next((kind for kind in ("utf-8", WINDOWS) if _decodes(file, kind)), "") or _refuse()


def _decodes(file: IO[bytes], encoding: str) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _refuse() -> str:
    raise _unknown_letters()


def _unknown_letters() -> Unreadable:
    return Unreadable(
        "It is neither XLSX nor text in UTF-8, UTF-16 or Windows-1252. Save it as “CSV UTF-8”."
    )
