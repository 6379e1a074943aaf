"""Taking a backup: of a shop that goes on selling, into one file that appears when it is whole."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from allo.recovery import bank, dump, media
from allo.recovery.archive import (
    DUMP,
    FORMAT,
    NOTHING_CHANGED,
    BackupRefused,
    Manifest,
    Secrets,
    Writer,
    allo_version,
    opened,
)


@dataclass(frozen=True)
class Taken:
    """`size` is in bytes."""

    path: Path
    size: int
    tables: int
    pictures: int


def take(path: Path) -> Taken:
    _require_free(path)
    _require_outside_of_media(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    with _locked(unfinished) as file:
        try:
            pictures = _write(file)
            tables = _verify(unfinished)
            _appear(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    return Taken(path, path.stat().st_size, tables, pictures)


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Also one that a backup left that was killed, but never another's that is under way."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(
                f"Another backup is writing {path}.", f"{NOTHING_CHANGED} Name another file."
            ) from None
        file.truncate()
        yield file


def _write(file: IO[bytes]) -> int:
    with Writer(file, _manifest(), _secrets()) as writer:
        with writer.member(DUMP) as member:
            dump.dump(connection, member)
        # After the database: files of pictures that were replaced stay for days.
        pictures = media.store(writer)
        bank.store(writer, settings.STATE_DIR)
    file.flush()
    os.fsync(file.fileno())
    return pictures


def _verify(path: Path) -> int:
    """Reads back all that was written; returns how many tables it has."""
    with opened(path) as backup, backup.open(DUMP) as dumped:
        tables = sum(" TABLE DATA " in line for line in dump.contents(dumped))
    if tables < len(connection.introspection.django_table_names(only_existing=True)):
        raise BackupRefused("The backup lacks tables.", "It was not kept. Take another one.")
    return tables


def _appear(unfinished: Path, path: Path) -> None:
    """Never over another file, not even one that appeared meanwhile."""
    try:
        path.hardlink_to(unfinished)
    except OSError:  # it is there, or this disk knows no links
        _require_free(path)
        unfinished.rename(path)
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _require_free(path: Path) -> None:
    if path.exists():
        raise BackupRefused(f"{path} exists already.", f"{NOTHING_CHANGED} Name another file.")


def _require_outside_of_media(path: Path) -> None:
    """A backup in the folder of the pictures would include itself until the disk is full, and
    everybody could load it."""
    media_root = Path(settings.MEDIA_ROOT).resolve()
    if path.resolve().is_relative_to(media_root):
        raise BackupRefused(
            f"{path} is among the pictures, which the backup takes in and browsers can load.",
            f"{NOTHING_CHANGED} Name a file outside of {media_root}.",
        )


def _manifest() -> Manifest:
    loader = MigrationLoader(connection)
    applied = loader.applied_migrations.keys() & loader.disk_migrations.keys()
    if not applied:
        raise BackupRefused("This database has no shop in it.", "`manage.py prepare` makes one.")
    connection.ensure_connection()
    return Manifest(
        format=FORMAT,
        allo=allo_version(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        site=settings.SITE_URL,
        postgresql=connection.connection.info.server_version // 10_000,
        migrations=sorted(f"{app}.{name}" for app, name in applied),
    )


def _secrets() -> Secrets:
    return Secrets(settings.SECRET_KEY, settings.BANK_SECRET, settings.BANK_WEBHOOK_SECRET)
