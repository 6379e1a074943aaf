"""Static files as they are served: compressed, with a hash in each name, and scripts without their
comments and indentation, which readers of the repository need and browsers do not."""

import re
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

# A comment has a line of its own, so that no string is taken for one; and no string has two lines,
# so that what begins a line is no part of one: a test looks.
FOR_READERS = re.compile(rb"^ *//.*\n|^ +", re.MULTILINE)


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        digest: str | None = super().file_hash(name, content and _served(name, content))
        return digest

    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, _served(name, content)))


def _served(name: str | None, content: Any) -> Any:
    if not (name or "").startswith("js/"):
        return content
    content.seek(0)
    return ContentFile(FOR_READERS.sub(b"", content.read()))
