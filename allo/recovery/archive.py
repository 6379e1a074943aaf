"""The file that a backup is. Without Django: the runner reads one before there is a shop.

It is a zip archive. Its directory is written last, so a backup that was cut off has none, and each
member has a checksum, so damage shows. Any other program can look into it.
"""

import json
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

# Raised when an older version of Allo could no longer read what is written.
FORMAT = 1
MANIFEST = "manifest.json"
SECRETS = "secrets.json"
DUMP = "database.dump"
BANK = "bank.sqlite3"
MEDIA = "media/"
# Exit code of a restore that found books which do not balance.
RESTORED_AS_IT_WAS = 3
NOTHING_CHANGED = "Nothing was changed."
PROJECT = Path(__file__).resolve().parents[2]


class BackupRefused(Exception):
    """A backup cannot be made, or not be restored here; with a hint on what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def explained(error: BackupRefused | OSError) -> str:
    if isinstance(error, BackupRefused):
        return f"{error}\n{error.hint}"
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


@dataclass(frozen=True)
class Manifest:
    """What a backup is of; `made_at` is in ISO format, `postgresql` for example 18."""

    format: int
    allo: str
    made_at: str
    site: str
    postgresql: int
    # As `app.name`.
    migrations: list[str]


@dataclass(frozen=True)
class Secrets:
    """Without the key sessions end and the tokens of reservations are void; without the others the
    bank of `make up` does not know the shop. Those that are not set are empty."""

    secret_key: str
    bank_secret: str
    bank_webhook_secret: str


class Writer:
    def __init__(self, file: IO[bytes], manifest: Manifest, secrets: Secrets) -> None:
        # What is in it is compressed already.
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        for name, what in ((MANIFEST, manifest), (SECRETS, secrets)):
            self._zip.writestr(name, json.dumps(asdict(what), indent=2) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After a failure, of the disk perhaps, its directory may not be written either.
        with suppress(OSError) if kind else nullcontext():
            self._zip.close()

    def member(self, name: str) -> IO[bytes]:
        """Of any size; to be closed before the next."""
        return self._zip.open(name, "w", force_zip64=True)


class Backup:
    """One that is whole, of a format that this version of Allo reads."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self.manifest = Manifest(**json.loads(archive.read(MANIFEST)))
        self.secrets = Secrets(**json.loads(archive.read(SECRETS)))
        archive.getinfo(DUMP)
        if any(".." in Path(name).parts or Path(name).is_absolute() for name, _ in self.media()):
            raise ValueError("A name leads out of the folder of media.")

    def open(self, name: str) -> IO[bytes]:
        return self._zip.open(name)

    @property
    def has_bank(self) -> bool:
        return BANK in self._zip.namelist()

    def media(self) -> Iterator[tuple[str, int]]:
        """The name of each file of media, and its size in bytes."""
        for member in self._zip.infolist():
            if member.filename.startswith(MEDIA):
                yield member.filename.removeprefix(MEDIA), member.file_size


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Reads all of it first, so that nothing is restored from half a backup."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise BackupRefused(
            f"{path} is not a whole backup: it was cut off, or is another kind of file.",
            f"{NOTHING_CHANGED} Copy it again, or take another backup.",
        ) from None
    with archive:
        _require_sound(path, archive)
        yield _read(path, archive)


def _require_sound(path: Path, archive: zipfile.ZipFile) -> None:
    try:
        damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        damaged = "its directory"
    if damaged:
        raise BackupRefused(
            f"{path} is damaged: {damaged} is not what was written.",
            f"{NOTHING_CHANGED} Copy it again, or take another backup.",
        )


def _read(path: Path, archive: zipfile.ZipFile) -> Backup:
    try:
        version = json.loads(archive.read(MANIFEST))["format"]
        if version == FORMAT:
            return Backup(archive)
    except (ValueError, TypeError, KeyError):
        raise BackupRefused(f"{path} is not a backup of Allo.", NOTHING_CHANGED) from None
    raise BackupRefused(
        f"{path} has format {version}; Allo {allo_version()} reads format {FORMAT}.",
        f"{NOTHING_CHANGED} Restore it with the version of Allo that made it.",
    )


def allo_version() -> str:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return str(project["project"]["version"])
