"""Backups to be spoiled."""

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allo.recovery.archive import MANIFEST

PICTURE = "products/tidal.0123456789ab.webp"


def with_members(backup: Path, path: Path, members: Mapping[str, bytes | None]) -> Path:
    """A copy in which these members have another content; None leaves one out."""
    with zipfile.ZipFile(backup) as whole, zipfile.ZipFile(path, "w") as other:
        for name in [*whole.namelist(), *(members.keys() - set(whole.namelist()))]:
            content = members.get(name, b"") if name in members else whole.read(name)
            if content is not None:
                other.writestr(name, content)
    return path


def with_manifest(backup: Path, path: Path, **changes: Any) -> Path:
    with zipfile.ZipFile(backup) as whole:
        manifest = json.loads(whole.read(MANIFEST)) | changes
    return with_members(backup, path, {MANIFEST: json.dumps(manifest).encode()})


def cut_off(backup: Path, path: Path, left: float) -> Path:
    """Only this share of it."""
    content = backup.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    return path


def damaged(backup: Path, path: Path, member: str) -> Path:
    """One byte in the middle of this member is another."""
    content = bytearray(backup.read_bytes())
    with zipfile.ZipFile(backup) as whole:
        info = whole.getinfo(member)
    # Before its content are 30 bytes, its name, and what else is known of it.
    lengths = struct.unpack_from("<HH", content, info.header_offset + 26)
    middle = info.header_offset + 30 + sum(lengths) + info.file_size // 2
    content[middle] ^= 1
    path.write_bytes(content)
    return path
