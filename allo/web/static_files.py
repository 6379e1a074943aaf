"""Static files as they are served: compressed, with a hash in each name, and scripts without their
comments and spaces, which readers of the repository need and browsers do not."""

import re
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

# A comment has a line of its own, so that no string is taken for one; and no string has two lines,
# so that what begins a line is no part of one: a test looks.
FOR_READERS = re.compile(rb"^ *//.*\n|^ +", re.MULTILINE)
# A string, a template or a regular expression, which stays as it is; or the spaces and lines around
# what separates words by itself, as each statement ends with a semicolon. A division has a space
# after it, and `+ +` and `- -` need theirs.
SPACED = re.compile(
    rb"""("(?:\\.|[^"\\\n])*"|'[^'\n]*'|`[^`\n]*`|(?<=[\s(,=:!&|?{};[])/(?![\s/])(?:\\.|[^/\\\n])+/)"""
    rb"""|\s*([=!<>]==?|=>|[<>]=?|\?\?=?|\|\||&&|[=*?:{},;()\[\]])\s*"""
)


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        digest: str | None = super().file_hash(name, content and as_served(name, content))
        return digest

    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, as_served(name, content)))


def as_served(name: str | None, content: Any) -> Any:
    if not (name or "").startswith("js/"):
        return content
    content.seek(0)
    text = FOR_READERS.sub(b"", content.read())
    return ContentFile(SPACED.sub(lambda found: found[1] or found[2], text))
