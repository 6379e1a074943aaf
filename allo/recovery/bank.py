"""The books of the bank of `make up`, which the shop's payments refer to."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from allo.recovery.archive import BANK, NOTHING_CHANGED, Backup, Refusal, Writer


def store(writer: Writer, state: Path) -> None:
    """As of one moment, while the bank goes on."""
    if (books := state / BANK).exists():
        with closing(sqlite3.connect(books)) as connection, writer.member(BANK) as member:
            member.write(connection.serialize())


def require_none(backup: Backup, state: Path) -> None:
    if backup.has_bank and (state / BANK).exists():
        raise Refusal(
            f"The backup has books of the bank, and {state / BANK} is here already.",
            f"{NOTHING_CHANGED} Move that file to another place, or choose another STATE_DIR.",
        )


def restore(backup: Backup, state: Path) -> None:
    if backup.has_bank:
        state.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(state / BANK, flags, 0o600), "wb") as file:
            file.write(backup.open(BANK).read())
