"""A form's own idempotency key: what makes a double click one act."""

import json
from collections.abc import Mapping

from django.core.exceptions import BadRequest
from django.http import HttpRequest

from allo.web.idempotency_key import is_proper, sent_key
from reservations import refusals
from reservations.engine.idempotency import Once, Reply
from reservations.exceptions import ReservationError
from reservations.services import Verb


def once_for(request: HttpRequest, holder: str, endpoint: str, asked: Mapping[str, object]) -> Once:
    """`asked` is what the form asks for, cleaned, so that it does not matter how it was typed."""
    return Once(
        client=holder,
        endpoint=endpoint,
        key=key_of(request),
        request=json.dumps(asked, sort_keys=True, default=str).encode(),
        render=refusals.answer,
    )


def reply(verb: Verb[...], once: Once, **asked: object) -> Reply:
    """The reply of a verb under a key, or to a refusal that is not stored under it."""
    try:
        return verb.once(once, **asked)
    except ReservationError as refusal:
        return refusals.answer(refusal)


def key_of(request: HttpRequest) -> str:
    """The header's, as of a program that sends the form; else the hidden field's."""
    key = sent_key(request)
    if key is None:
        key = str(request.POST.get("idempotency_key", ""))
    if not is_proper(key):
        raise BadRequest("idempotency_key must be 1 to 255 visible ASCII characters")
    return key
