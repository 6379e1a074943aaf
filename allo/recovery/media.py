"""Pictures in and out of a backup, wherever the storage keeps them."""

import posixpath
import shutil
import zlib
from collections.abc import Iterator
from typing import IO

from django.core.files.base import File
from django.core.files.storage import default_storage

from allo.recovery.archive import MEDIA, NOTHING_CHANGED, Backup, BackupRefused, Writer

CHUNK = 1 << 20


def store(writer: Writer) -> int:
    """Returns how many files there are. One that is deleted meanwhile was not in use."""
    stored = 0
    for name in _names(""):
        try:
            file = default_storage.open(name)
        except FileNotFoundError:
            continue
        with file, writer.member(MEDIA + name) as member:
            shutil.copyfileobj(file, member, CHUNK)
        stored += 1
    return stored


def _names(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (posixpath.join(folder, name) for name in sorted(files))
    for name in sorted(folders):
        yield from _names(posixpath.join(folder, name))


def missing(backup: Backup) -> list[str]:
    """The files that are not here yet. One that is here with another content is refused."""
    wanted = []
    for name, size in backup.media():
        if not default_storage.exists(name):
            wanted.append(name)
        elif not _is_same(backup, name, size):
            raise BackupRefused(
                f"The picture {name} is here already, with another content than in the backup.",
                f"{NOTHING_CHANGED} Move the pictures that are here to another place first.",
            )
    return wanted


def _is_same(backup: Backup, name: str, size: int) -> bool:
    if default_storage.size(name) != size:
        return False
    with default_storage.open(name) as here, backup.open(MEDIA + name) as there:
        return _checksum(here) == _checksum(there)


def _checksum(file: IO[bytes] | File) -> int:  # type: ignore[type-arg]
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def restore(backup: Backup, names: list[str]) -> None:
    for name in names:
        with backup.open(MEDIA + name) as member:
            default_storage.save(name, File(member))
