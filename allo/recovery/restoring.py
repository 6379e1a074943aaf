"""Restoring a backup into an empty place. Everything that could stand against it is looked at
before anything is written, and the database is filled in one transaction."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from allo.recovery import bank, dump, media
from allo.recovery.archive import (
    DUMP,
    NOTHING_CHANGED,
    Backup,
    BackupRefused,
    Manifest,
    allo_version,
    opened,
)

# Extensions may be there before: the owner of the tables need not be allowed to create them.
IN_USE = """
    SELECT count(*) FROM pg_class
    WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
"""
SERVER = """
    SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
    EXISTS (SELECT FROM pg_roles WHERE rolname = coalesce(nullif(%s, ''), current_user))
"""


def restore(path: Path, *, other_key: bool, say: Callable[[str], object]) -> None:
    """`other_key` accepts a backup that was made with another SECRET_KEY than that of here."""
    say(f"Reading {path}")
    with opened(path) as backup:
        _require_known(backup.manifest)
        _require_same_shop(backup, other_key)
        has_bank = bank.is_missing(backup, settings.STATE_DIR)
        pictures = media.missing(backup)
        with backup.open(DUMP) as dumped:
            wanted = [line for line in dump.contents(dumped) if " COMMENT - EXTENSION " not in line]
        _require_fitting_server(backup.manifest)
        _require_empty_database()
        say(f"Pictures: {len(pictures)}")
        media.restore(backup, pictures)
        if has_bank:
            bank.restore(backup, settings.STATE_DIR)
        say(f"Database: as of {backup.manifest.made_at}")
        # Last: until then the place counts as empty, and one that was interrupted can be repeated.
        with backup.open(DUMP) as dumped:
            dump.load(connection, dumped, wanted)


def _require_known(manifest: Manifest) -> None:
    """An older version may have had migrations that later ones left out."""
    here = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted(set(manifest.migrations) - here)
    if unknown and not _is_older(manifest.allo, allo_version()):
        raise BackupRefused(
            f"The backup is of Allo {manifest.allo}, which is newer than this, {allo_version()}:"
            f" its tables have changes that are not known here, such as {unknown[0]}.",
            f"{NOTHING_CHANGED} Restore it with Allo {manifest.allo} or newer.",
        )


def _is_older(version: str, other: str) -> bool:
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in (version, other)]
    return numbers[0] < numbers[1]


def _require_same_shop(backup: Backup, other_key: bool) -> None:
    if other_key or secrets.compare_digest(
        backup.secrets.secret_key.encode(), settings.SECRET_KEY.encode()
    ):
        return
    raise BackupRefused(
        f"The backup is of another shop, {backup.manifest.site}: its SECRET_KEY is not the one that"
        " is set here.",
        f"{NOTHING_CHANGED} Set SECRET_KEY to that of the shop; it is in its secrets.json."
        " Or restore with --other-key: sessions end, and the tokens of reservations are void.",
    )


def _require_empty_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(IN_USE)
        (in_use,) = cursor.fetchone()
    if in_use:
        raise BackupRefused(
            f'The database "{connection.settings_dict["NAME"]}" is in use: it has tables.',
            f"{NOTHING_CHANGED} Restore into an empty database.",
        )


def _require_fitting_server(manifest: Manifest) -> None:
    role = settings.SHOP_ROLE
    with connection.cursor() as cursor:
        cursor.execute(SERVER, [role])
        server, encoding, role_exists = cursor.fetchone()
    if server < manifest.postgresql:
        raise BackupRefused(
            f"The backup is of PostgreSQL {manifest.postgresql}; this server is {server}.",
            f"{NOTHING_CHANGED} Restore into PostgreSQL {manifest.postgresql} or newer.",
        )
    if encoding != "UTF8":
        raise BackupRefused(
            f"This database has the encoding {encoding}; a shop's texts need UTF8.",
            f"{NOTHING_CHANGED} Create it with ENCODING 'UTF8' TEMPLATE template0.",
        )
    if not role_exists:
        raise BackupRefused(
            f'This server has no role "{role}", which DATABASE_URL names.',
            f"{NOTHING_CHANGED} Create it: CREATE ROLE {role} LOGIN PASSWORD '…'.",
        )
