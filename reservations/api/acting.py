"""How a call acts on a reservation: by a verb, at most once under a key."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpResponse

from allo.api_kit import fresh
from allo.web.idempotency_key import sent_key
from reservations.api import answers
from reservations.api.guard import ApiRequest
from reservations.engine.idempotency import Once
from reservations.models import Reservation
from reservations.services import Verb


def act(
    request: ApiRequest,
    found: Reservation,
    verb: Verb[...],
    said: Mapping[str, Any] | None = None,
    render: answers.Render | None = None,
    **more: Any,
) -> HttpResponse:
    """Runs a verb on the caller's own reservation; `said` is the request's body."""
    render = render or answers.changed(found)
    once = once_about(request, found, verb.name, said or {}, render)
    return answers.respond(verb, once, render, reservation_id=found.pk, **more)


def once_about(
    request: ApiRequest,
    found: Reservation,
    verb: str,
    said: Mapping[str, Any],
    render: answers.Render,
) -> Once | None:
    """`once_of`, of a request about the caller's own reservation."""

    def asked() -> dict[str, Any]:
        return {"reservation": str(found.pk), **said}

    owner = request.auth.key_owner(found.holder)
    return once_of(request, owner, f"api:{verb}", asked, render)


def once_of(
    request: ApiRequest,
    client: str,
    endpoint: str,
    asked: Callable[[], dict[str, Any]],
    render: answers.Render,
) -> Once | None:
    """None without a key."""
    key = sent_key(request)
    if key is None:
        return None
    return Once(client, endpoint, key, fresh.encode(asked()).encode(), render)
