"""Static files as they are served: compressed, with a hash in each name, scripts without their
comments and indentation, which readers of the repository need and browsers do not, and a style
sheet with those that it imports in it, as each request costs a slow line its round trip."""

import re
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

# A comment has a line of its own, so that no string is taken for one; and no string has two lines,
# so that what begins a line is no part of one: a test looks.
FOR_READERS = re.compile(rb"^ *//.*\n|^ +", re.MULTILINE)
IMPORT = re.compile(rb'^@import "([a-z]+\.css)";\n', re.MULTILINE)


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        digest: str | None = super().file_hash(name, content and _served(name, content))
        return digest

    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, _served(name, content)))


def _served(name: str | None, content: Any) -> Any:
    if change := CHANGES.get((name or "").partition("/")[0]):
        content.seek(0)
        return ContentFile(change(content.read()))
    return content


def _without_comments(script: bytes) -> bytes:
    return FOR_READERS.sub(b"", script)


def _with_imports(sheet: bytes) -> bytes:
    return IMPORT.sub(lambda found: _imported(found[1].decode()), sheet)


def _imported(name: str) -> bytes:
    """All in one folder, so that the addresses in them stay true."""
    if not (path := finders.find(f"css/{name}")):
        raise FileNotFoundError(name)
    return Path(path).read_bytes()


# Of the shop's own folders; a library's files are served as they are.
CHANGES = {"js": _without_comments, "css": _with_imports}
