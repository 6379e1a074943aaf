"""Signed links in mails: the key of one opens a row's pages without an account."""

from typing import Generic, TypeVar

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Model
from django.urls import reverse

Row = TypeVar("Row", bound=Model)


class Links(Generic[Row]):
    """To the pages of one model's rows, whose URLs are in the namespace `pages` and have the field
    `by`. Without another name a link leads to `page`. Links that were sent depend on `salt`."""

    def __init__(self, *, salt: str, pages: str, page: str, by: str = "pk") -> None:
        self._signer = Signer(salt=salt)
        self._pages, self._page, self._by = pages, page, by

    def link_to(self, row: Row, page: str = "") -> str:
        """Absolute, for a mail."""
        return f"{settings.SITE_URL}{self.path_to(row, page)}?key={self.key_of(row)}"

    def path_to(self, row: Row, page: str = "") -> str:
        return reverse(f"{self._pages}:{page or self._page}", args=[getattr(row, self._by)])

    def key_of(self, row: Row) -> str:
        return self._signer.signature(str(row.pk))

    def opens(self, row: Row, key: str) -> bool:
        try:
            self._signer.unsign(f"{row.pk}:{key}")
        except BadSignature:
            return False
        return True
