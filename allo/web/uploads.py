"""The largest file that a form takes, and the cap on what is sent."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler

MOST_MEGABYTES = 10
MOST_BYTES = MOST_MEGABYTES * 2**20


class Cap(FileUploadHandler):
    """Drops each file's bytes beyond `MOST_BYTES`. The form then refuses it
    as too large, and it cannot fill the disk."""

    seen = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.seen = 0

    def receive_data_chunk(self, raw_data: bytes, _start: int) -> bytes | None:
        if self.seen > MOST_BYTES:
            return None
        self.seen += len(raw_data)
        return raw_data

    def file_complete(self, _file_size: int) -> None:
        return None
