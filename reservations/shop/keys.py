"""The idempotency keys of forms, so that a double click acts once."""

import json
from collections.abc import Callable, Mapping

from django.core.exceptions import BadRequest
from django.http import HttpRequest

from allo.web.idempotency_key import is_proper, sent_key
from reservations import refusals
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.exceptions import ReservationError
from reservations.services import Verb


def once_for(
    request: HttpRequest,
    holder: str,
    endpoint: str,
    asked: Mapping[str, object],
    render: Callable[[Outcome], Reply] = refusals.answer,
) -> Once:
    """`asked` are the form's cleaned values, so that equal requests are compared as equal."""
    return Once(
        client=holder,
        endpoint=endpoint,
        key=key_of(request),
        request=json.dumps(asked, sort_keys=True, default=str).encode(),
        render=render,
    )


def reply(verb: Verb[...], once: Once, **asked: object) -> Reply:
    """Runs the verb under the key. A refusal that is not stored becomes a reply too."""
    try:
        return verb.once(once, **asked)
    except ReservationError as refusal:
        return refusals.answer(refusal)


def key_of(request: HttpRequest) -> str:
    """The key of the header, for a program that sends the form; otherwise that of the hidden
    field."""
    key = sent_key(request)
    if key is None:
        key = str(request.POST.get("idempotency_key", ""))
    if not is_proper(key):
        raise BadRequest("idempotency_key must be 1 to 255 visible ASCII characters")
    return key
