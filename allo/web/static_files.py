"""Static files as they are served: compressed, with a hash in each name, without what only readers
of the repository need, and style sheets and scripts with those that they import in them, as each
request costs a slow line its round trip."""

import re
from functools import partial
from pathlib import PurePath
from typing import Any

from django.core.files.base import ContentFile
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

# As Django writes it, when it has put the hash into the imported name.
IMPORT = re.compile(rb'^@import url\("([a-z/]+\.[0-9a-f]{12}\.css)"\);\n', re.MULTILINE)
# Of a style sheet, for readers alone.
COMMENT, INDENT = re.compile(rb"/\*.*?\*/", re.DOTALL), re.compile(rb"\s*\n\s*")
PART = re.compile(rb'^import "\./([a-z-]+\.js)";\n', re.MULTILINE)


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        digest: str | None = super().file_hash(name, content and self._served(name, content))
        return digest

    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, self._served(name, content)))

    def _served(self, name: str | None, content: Any) -> Any:
        """Files of the shop's own folders are changed; a library's are served as they are."""
        path = PurePath(name or "")
        if path.is_relative_to("js"):
            content.seek(0)
            whole = PART.sub(partial(self._imported, path, b"{%b}\n"), content.read())
            return ContentFile(jsmin(whole))
        if path.is_relative_to("css"):
            content.seek(0)
            whole = IMPORT.sub(partial(self._imported, path, b"%b"), content.read())
            return ContentFile(INDENT.sub(b"\n", COMMENT.sub(b"", whole)))
        return content

    def _imported(self, path: PurePath, frame: bytes, found: re.Match[bytes]) -> bytes:
        """Of the same folder, or of one below and without addresses in it, so that these stay true.
        Django goes over the files again: one that is not there yet is there the next time. A script
        keeps its names to itself by the frame, as it did in a file of its own."""
        name = str(path.parent / found[1].decode())
        if not self.exists(name):
            return found[0]
        with self.open(name) as imported:
            return frame % bytes(imported.read())
