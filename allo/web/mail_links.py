"""Signed links in mails: the key of one opens a row's pages without an account.

What a browser opened by them is kept in its session, so the address that it shows need not contain
the key: whoever gets that address from the shopper cannot open it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from allo.web.address import client_network
from allo.web.parts import Request, too_many
from allo.web.rate import seconds_to_wait

Row = TypeVar("Row", bound=Model)
View = Callable[..., HttpResponse]
# At most so many of a kind, the last ones, are kept.
MOST_OPENED = 20


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


def remember(request: HttpRequest, kind: str, pk: UUID) -> None:
    """`kind` is the key in the session."""
    others = [other for other in request.session.get(kind, []) if other != str(pk)]
    request.session[kind] = [*others, str(pk)][-MOST_OPENED:]


def opens_by_link(view: View) -> View:
    """For views that remember what a link with a `key` opened: in a browser without a cookie each
    makes a session, so they are counted per network. A POST is not, as it makes none."""

    @wraps(view)
    def answer(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" or not request.GET.get("key"):
            return view(request, *args, **kwargs)
        wait = seconds_to_wait(settings.API_RATE, "link", client_network(request))
        return too_many(request, wait) if wait else view(request, *args, **kwargs)

    return answer
