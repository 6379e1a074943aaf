"""The program that parses a file: see `allo.confined`. It writes a line of JSON with what to
say about the file, then one for each row; or, last of all, why it cannot be read."""

import json
import sys
from dataclasses import astuple

from allo import confined
from inventory.files import records
from inventory.files.tables import Unreadable


def main() -> None:
    if sys.stdin.buffer.read(4) == records.ZIP:
        # Before the limits, as every other import is.
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
