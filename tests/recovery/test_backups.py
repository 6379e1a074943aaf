"""Backups of a shop that goes on selling, on real PostgreSQL."""

import fcntl
import io
import os
import resource
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from allo.recovery import archive, dump
from allo.recovery.archive import BackupRefused
from allo.recovery.taking import take
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.recovery.backups import PICTURE
from tests.running import PATIENCE, PROJECT
from tests.stock import stocked

# --- under load ---------------------------------------------------------------------------------


@contextmanager
def selling(product: int) -> Iterator[Event]:
    """Callers reserve and release; the event is set once they have begun."""
    begun, over = Event(), Event()

    def sell() -> None:
        while not over.is_set():
            held = services.reserve(
                product_id=product, quantity=1, holder=Holder(f"client:{secrets.token_hex(8)}")
            )
            services.release(reservation_id=held.pk)
            begun.set()
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        sellers = [pool.submit(sell) for _ in range(2)]
        try:
            yield begun
        finally:
            over.set()
            for seller in sellers:
                seller.result(PATIENCE)


@contextmanager
def empty_database() -> Iterator[str]:
    """The address of one on the server of the tests, as the owner."""
    given = os.environ["DATABASE_URL"]
    with psycopg.connect(given, autocommit=True) as owner:
        owner.execute("CREATE DATABASE allo_restored")
        try:
            yield urlsplit(given)._replace(path="/allo_restored").geturl()
        finally:
            owner.execute("DROP DATABASE allo_restored WITH (FORCE)")


def manage(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=PROJECT, env=os.environ | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
def test_backup_under_load_restores_to_books_that_balance_with_its_pictures_and_secrets(
    tmp_path: Path,
) -> None:
    row = stocked(1_000_000)
    default_storage.save(PICTURE, ContentFile(b"a picture of a vase"))
    path = tmp_path / "backups" / "one.zip"
    with selling(row.product_id) as begun:
        assert begun.wait(PATIENCE)
        before = Reservation.objects.count()
        taken = take(path)
        after = Reservation.objects.count()
    assert before < after, "nothing was sold meanwhile"
    assert taken.pictures == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["one.zip"]

    state = tmp_path / "restored"
    app = urlsplit(os.environ["APP_DATABASE_URL"])
    with empty_database() as url:
        _half_is_nothing(path)
        place = {
            "MIGRATION_DATABASE_URL": url, "STATE_DIR": str(state),
            "DATABASE_URL": app._replace(path="/allo_restored").geturl(),
            "SECRET_KEY": django_settings.SECRET_KEY,
        }  # fmt: skip
        done = manage("restore", str(path), **place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("The books balance.") == 2
        assert (state / "media" / PICTURE).read_bytes() == b"a picture of a vase"
        with psycopg.connect(place["DATABASE_URL"]) as shop:
            found = shop.execute("SELECT count(*) FROM reservations_reservation").fetchone()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                shop.execute("DELETE FROM inventory_inventory")
        assert found
        assert before <= found[0] <= after
        again = manage("restore", str(path), **place)
        assert again.returncode == 1
        assert 'The database "allo_restored" is in use: it has tables.' in again.stderr


def _half_is_nothing(path: Path) -> None:
    """A dump that ends early leaves the database empty; so does one that does not fit."""
    place = connection.copy()
    place.settings_dict["NAME"] = "allo_restored"
    with archive.opened(path) as backup, backup.open(archive.DUMP) as dumped:
        content = dumped.read()
    wanted = dump.contents(io.BytesIO(content))
    try:
        with pytest.raises(BackupRefused, match="pg_restore ended with exit code 1"):
            dump.load(place, io.BytesIO(content[:-5000]), wanted)
        assert place.introspection.table_names() == []
        with place.cursor() as cursor:
            cursor.execute("CREATE TABLE reservations_sweep (id int)")
        with pytest.raises(BackupRefused, match="psql ended with exit code 3") as refused:
            dump.load(place, io.BytesIO(content), wanted)
        assert 'relation "reservations_sweep" already exists' in refused.value.hint
        assert place.introspection.table_names() == ["reservations_sweep"]
        with place.cursor() as cursor:
            cursor.execute("DROP TABLE reservations_sweep")
    finally:
        place.close()


# --- what cannot be taken -----------------------------------------------------------------------


def test_backup_is_written_over_nothing_and_leaves_no_part(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match=r"whole\.zip exists already\."):
        call_command("backup", whole)
    monkeypatch.setenv("POSTGRES_PROGRAMS", str(_failing(tmp_path)))
    with pytest.raises(CommandError, match=r"pg_dump ended with exit code 1\.\npg_dump: no rights"):
        call_command("backup", tmp_path / "backups" / "two.zip")
    assert list((tmp_path / "backups").iterdir()) == []


def test_backup_leaves_another_one_alone_that_writes_the_same_file(
    whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "one.zip"
    unfinished = tmp_path / "one.zip.unfinished"
    unfinished.write_bytes(b"of another")
    with unfinished.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupRefused, match="Another backup is writing"):
            take(path)
    assert unfinished.read_bytes() == b"of another"
    # One that was killed holds no lock.
    take(path)
    assert [file.name for file in tmp_path.glob("one*")] == ["one.zip"]


def test_backup_among_the_pictures_is_refused(whole: Path, settings: Any, tmp_path: Path) -> None:
    media = Path(settings.MEDIA_ROOT)
    (tmp_path / "link").symlink_to(media)
    for path in (media / "one.zip", tmp_path / "link" / "daily" / "one.zip"):
        with pytest.raises(BackupRefused, match="among the pictures"):
            take(path)
    assert not list(media.rglob("one.zip*"))


def test_backup_appears_on_a_disk_that_knows_no_links(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refused)
    take(tmp_path / "one.zip")
    assert [file.name for file in tmp_path.glob("one*")] == ["one.zip"]


def _failing(folder: Path) -> Path:
    """A program that ends half way."""
    program = folder / "pg_dump"
    program.write_text("#!/bin/sh\nprintf PGDMP; echo 'pg_dump: no rights' >&2; exit 1\n")
    program.chmod(0o755)
    return folder


def test_disk_that_fills_up_is_named_and_leaves_no_part(tmp_path: Path, db: None) -> None:
    _, hard = usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CommandError, match="^File too large$"):
            call_command("backup", tmp_path / "a.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list(tmp_path.glob("a.zip*")) == []
