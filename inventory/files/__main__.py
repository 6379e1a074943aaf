"""The program that parses a file: see `allo.confined`. It writes a line of JSON with a remark on
the file, then one for each row. If the file cannot be read, the last line has the reason."""

import json
import sys
from dataclasses import astuple

from allo import confined
from inventory.files import records
from inventory.files.tables import Unreadable


def main() -> None:
    if sys.stdin.buffer.read(4) == records.ZIP:
        # Imported before the limits apply, like everything else.
        import inventory.files.xlsx_tables  # noqa: F401, PLC0415
    with confined.limited():
        try:
            remark, found = records.read(sys.stdin.buffer)
            say({"remark": remark})
            for record in found:
                say(astuple(record))
        except Unreadable as error:
            say({"unreadable": str(error)})


def say(words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")


main()
