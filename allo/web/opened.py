"""What a browser opened by the signed links in mails, in its session. So the address that it shows
need not contain the key: whoever gets that address from the shopper cannot open it."""

from uuid import UUID

from django.http import HttpRequest

# At most so many of a kind, the last ones, are kept.
MOST_OPENED = 20


def remember(request: HttpRequest, kind: str, pk: UUID) -> None:
    """`kind` is the key in the session."""
    others = [other for other in request.session.get(kind, []) if other != str(pk)]
    request.session[kind] = [*others, str(pk)][-MOST_OPENED:]
