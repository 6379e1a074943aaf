"""Every backup that is not restored, and every place into which none is."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from allo.recovery import archive
from allo.recovery.archive import BackupRefused
from allo.recovery.restoring import restore
from tests.recovery.backups import PICTURE, cut_off, damaged, with_manifest, with_members

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
        f"has format 2; Allo {archive.allo_version()} reads format 1.",
    ),
    "a newer Allo": (
        lambda b, p: with_manifest(b, p, allo="99.10.0", migrations=["allo.0099_later"]),
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
    with pytest.raises(BackupRefused) as refused:
        restore(path, other_key=False, say=said.append)
    assert reason in str(refused.value)
    assert refused.value.hint
    assert said == [f"Reading {path}"]
    assert not settings.STATE_DIR.exists() or not any(settings.MEDIA_ROOT.rglob("*.*"))


def test_server_without_the_shops_role_is_refused(whole: Path, settings: Any) -> None:
    settings.SHOP_ROLE = "no_such_role"
    with pytest.raises(BackupRefused, match='This server has no role "no_such_role"'):
        restore(whole, other_key=False, say=print)


def test_backup_of_another_shop_needs_to_be_wanted(whole: Path, settings: Any) -> None:
    settings.SECRET_KEY = "the key of another shop" * 3
    with pytest.raises(
        BackupRefused, match=f"is of another shop, {settings.SITE_URL}: its SECRET_KEY"
    ):
        restore(whole, other_key=False, say=print)
    with pytest.raises(BackupRefused, match="is in use"):
        restore(whole, other_key=True, say=print)


def test_pictures_that_are_here_are_kept_and_never_written_over(whole: Path, settings: Any) -> None:
    default_storage.save(PICTURE, ContentFile(b"a picture of a vase"))
    with pytest.raises(BackupRefused, match="is in use"):
        restore(whole, other_key=False, say=print)
    default_storage.save(PICTURE, ContentFile(b"A picture of a vase"))
    with pytest.raises(BackupRefused, match=f"{PICTURE} is here already, with another content"):
        restore(whole, other_key=False, say=print)
    assert (settings.MEDIA_ROOT / PICTURE).read_bytes() == b"A picture of a vase"


def test_books_of_the_bank_that_are_here_are_kept_and_never_written_over(
    whole: Path, tmp_path: Path, settings: Any
) -> None:
    path = with_members(whole, tmp_path / "bank.zip", {archive.BANK: b"books"})
    settings.STATE_DIR.mkdir(exist_ok=True)
    books = settings.STATE_DIR / "bank.sqlite3"
    books.write_bytes(b"books")
    with pytest.raises(BackupRefused, match="is in use"):
        restore(path, other_key=False, say=print)
    books.write_bytes(b"others")
    with pytest.raises(BackupRefused, match=r"others are here already: .*bank\.sqlite3"):
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
