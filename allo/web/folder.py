"""Files in a folder."""

from typing import Any

from django.core.files.storage import FileSystemStorage

from allo.web.storing import NotStored


class Folder(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        try:
            stored: str = super()._save(name, content)  # type: ignore[misc]
        except OSError as error:
            raise NotStored(f"{name} was not stored: {error}") from error
        return stored
