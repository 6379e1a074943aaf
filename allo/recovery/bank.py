"""The books of the bank of `make up`, which the shop's payments refer to."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from allo.recovery.archive import BANK, NOTHING_CHANGED, Backup, BackupRefused, Writer


def store(writer: Writer, state: Path) -> None:
    """As of one moment, while the bank goes on."""
    if (books := state / BANK).exists():
        with closing(sqlite3.connect(books)) as connection, writer.member(BANK) as member:
            member.write(connection.serialize())


def is_missing(backup: Backup, state: Path) -> bool:
    """Whether to restore them. Others that are here already are refused."""
    here = state / BANK
    if not backup.has_bank or not here.exists():
        return backup.has_bank
    if here.read_bytes() != backup.open(BANK).read():
        raise BackupRefused(
            f"The backup has books of the bank, and others are here already: {here}.",
            f"{NOTHING_CHANGED} Move that file away, or choose another STATE_DIR.",
        )
    return False


def restore(backup: Backup, state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    unfinished = state / f"{BANK}.new"
    unfinished.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
        file.write(backup.open(BANK).read())
    unfinished.rename(state / BANK)
