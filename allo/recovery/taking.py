"""Taking a backup: of a shop that goes on selling, into one file that appears when it is whole."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from allo.recovery import bank, dump, media
from allo.recovery.archive import (
    DUMP,
    FORMAT,
    NOTHING_CHANGED,
    Manifest,
    Refusal,
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
    unfinished = path.with_name(path.name + ".unfinished")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.unlink(missing_ok=True)  # what a backup left that was killed
    try:
        pictures = _write(unfinished)
        tables = _verify(unfinished)
        _appear(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Taken(path, path.stat().st_size, tables, pictures)


def _write(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
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
        raise Refusal("The backup lacks tables.", "It was not kept. Take another one.")
    return tables


def _appear(unfinished: Path, path: Path) -> None:
    """Never over another file, not even one that appeared meanwhile."""
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        _require_free(path)
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _require_free(path: Path) -> None:
    if path.exists():
        raise Refusal(f"{path} exists already.", f"{NOTHING_CHANGED} Name another file.")


def _manifest() -> Manifest:
    applied = MigrationRecorder(connection).applied_migrations()
    if not applied:
        raise Refusal("This database has no shop in it.", "`manage.py prepare` makes one.")
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
