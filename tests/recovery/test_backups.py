"""Backups of a shop that goes on selling, on real PostgreSQL, and every one that is refused."""

import fcntl
import io
import json
import os
import resource
import secrets
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
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
from allo.recovery.archive import Refusal
from allo.recovery.restoring import restore
from allo.recovery.taking import take
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.recovery.backups import cut_off, damaged, with_manifest, with_members
from tests.running import PROJECT
from tests.stock import stocked

PICTURE = "products/tidal.0123456789ab.webp"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(autouse=True)
def _a_place_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.STATE_DIR = tmp_path / "shop"
    settings.MEDIA_ROOT = settings.STATE_DIR / "media"
    settings.SECRET_KEY = "the key of the shop" * 4


@pytest.fixture
def whole(folder: Path, db: None) -> Path:
    """Of the tables of the tests, which are empty; taken once."""
    if not (path := folder / "whole.zip").exists():
        default_storage.save(PICTURE, ContentFile(b"a picture of a vase"))
        take(path)
        default_storage.delete(PICTURE)
    return path


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
                seller.result(30)


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
        assert begun.wait(30)
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
        with pytest.raises(Refusal, match="pg_restore ended with exit code 1"):
            dump.load(place, io.BytesIO(content[:-5000]), wanted)
        assert place.introspection.table_names() == []
        with place.cursor() as cursor:
            cursor.execute("CREATE TABLE reservations_sweep (id int)")
        with pytest.raises(Refusal, match="psql ended with exit code 3") as refused:
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
        with pytest.raises(Refusal, match="Another backup is writing"):
            take(path)
    assert unfinished.read_bytes() == b"of another"
    # One that was killed holds no lock.
    take(path)
    assert [file.name for file in tmp_path.glob("one*")] == ["one.zip"]


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


# --- what is not restored -----------------------------------------------------------------------

SPOILED: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "nothing in it": (lambda b, p: cut_off(b, p, 0), "is not a whole backup"),
    "cut off at once": (lambda b, p: cut_off(b, p, 0.01), "is not a whole backup"),
    "cut off late": (lambda b, p: cut_off(b, p, 0.999), "is not a whole backup"),
    "damaged dump": (
        lambda b, p: damaged(b, p, archive.DUMP),
        "is damaged: database.dump is not what was written.",
    ),
    "damaged picture": (
        lambda b, p: damaged(b, p, archive.MEDIA + PICTURE),
        f"is damaged: media/{PICTURE} is not what was written.",
    ),
    "another zip": (
        lambda b, p: with_members(b, p, {archive.MANIFEST: None}),
        "is not a backup of Allo.",
    ),
    "another manifest": (
        lambda b, p: with_members(b, p, {archive.MANIFEST: b'["format"]'}),
        "is not a backup of Allo.",
    ),
    "no secrets": (
        lambda b, p: with_members(b, p, {archive.SECRETS: b"{}"}),
        "is not a backup of Allo.",
    ),
    "no dump": (
        lambda b, p: with_members(b, p, {archive.DUMP: None}),
        "is not a backup of Allo.",
    ),
    "not a dump": (
        lambda b, p: with_members(b, p, {archive.DUMP: b"SELECT 1"}),
        "pg_restore ended with exit code 1.",
    ),
    "another format": (
        lambda b, p: with_manifest(b, p, format=2),
        "has format 2; Allo 0.5.0 reads format 1.",
    ),
    "a newer Allo": (
        lambda b, p: with_manifest(b, p, allo="0.10.0", migrations=["allo.0099_later"]),
        "such as allo.0099_later.",
    ),
    "the same Allo with later changes": (
        lambda b, p: with_manifest(b, p, migrations=["allo.0099_later"]),
        "such as allo.0099_later.",
    ),
    "an older Allo, in a database in use": (
        lambda b, p: with_manifest(b, p, allo="0.4.10", migrations=["allo.0000_left_out"]),
        "is in use: it has tables.",
    ),
    "a newer PostgreSQL": (
        lambda b, p: with_manifest(b, p, postgresql=99),
        "The backup is of PostgreSQL 99; this server is 18.",
    ),
    "a name that leads out": (
        lambda b, p: with_members(b, p, {"media/../../secrets.json": b"{}"}),
        "is not a backup of Allo.",
    ),
    "a database in use": (lambda b, p: b, "is in use: it has tables."),
}


@pytest.mark.parametrize("name", SPOILED)
def test_backup_that_cannot_be_restored_here_is_refused_and_changes_nothing(
    whole: Path, tmp_path: Path, settings: Any, name: str
) -> None:
    spoil, reason = SPOILED[name]
    said: list[str] = []
    path = spoil(whole, tmp_path / "spoiled.zip")
    with pytest.raises(Refusal) as refused:
        restore(path, other_key=False, say=said.append)
    assert reason in str(refused.value)
    assert refused.value.hint
    assert said == [f"Reading {path}"]
    assert not settings.STATE_DIR.exists() or not any(settings.MEDIA_ROOT.rglob("*.*"))


def test_server_without_the_shops_role_is_refused(whole: Path, settings: Any) -> None:
    settings.SHOP_ROLE = "no_such_role"
    with pytest.raises(Refusal, match='This server has no role "no_such_role"'):
        restore(whole, other_key=False, say=print)


def test_backup_of_another_shop_needs_to_be_wanted(whole: Path, settings: Any) -> None:
    settings.SECRET_KEY = "the key of another shop" * 3
    with pytest.raises(Refusal, match=f"is of another shop, {settings.SITE_URL}: its SECRET_KEY"):
        restore(whole, other_key=False, say=print)
    with pytest.raises(Refusal, match="is in use"):
        restore(whole, other_key=True, say=print)


def test_pictures_that_are_here_are_kept_and_never_written_over(whole: Path, settings: Any) -> None:
    default_storage.save(PICTURE, ContentFile(b"a picture of a vase"))
    with pytest.raises(Refusal, match="is in use"):
        restore(whole, other_key=False, say=print)
    default_storage.save(PICTURE, ContentFile(b"A picture of a vase"))
    with pytest.raises(Refusal, match=f"{PICTURE} is here already, with another content"):
        restore(whole, other_key=False, say=print)
    assert (settings.MEDIA_ROOT / PICTURE).read_bytes() == b"A picture of a vase"


def test_books_of_the_bank_that_are_here_are_kept_and_never_written_over(
    whole: Path, tmp_path: Path, settings: Any
) -> None:
    path = with_members(whole, tmp_path / "bank.zip", {archive.BANK: b"books"})
    settings.STATE_DIR.mkdir(exist_ok=True)
    books = settings.STATE_DIR / "bank.sqlite3"
    books.write_bytes(b"books")
    with pytest.raises(Refusal, match="is in use"):
        restore(path, other_key=False, say=print)
    books.write_bytes(b"others")
    with pytest.raises(Refusal, match=r"others are here already: .*bank\.sqlite3"):
        restore(path, other_key=False, say=print)
    assert books.read_bytes() == b"others"


def test_a_backup_is_a_zip_that_says_what_it_is(whole: Path, settings: Any) -> None:
    with zipfile.ZipFile(whole) as opened:
        manifest = json.loads(opened.read("manifest.json"))
        kept = json.loads(opened.read("secrets.json"))
    assert (manifest["format"], manifest["allo"], manifest["site"]) == (
        1, archive.allo_version(), settings.SITE_URL,
    )  # fmt: skip
    assert kept["secret_key"] == settings.SECRET_KEY
