"""The rules of all calls: the secret key, faults that delay or refuse them, and idempotency
keys."""

import hashlib
import hmac
import json
import time
from urllib.parse import parse_qsl

from checkout.bank.api import CALLS
from checkout.bank.bank import Bank
from checkout.bank.books import KEPT_KEYS_SECONDS, Row
from checkout.bank.problems import Problem, invalid
from checkout.bank.web import Request, Response

LONGEST_SLEEP = 60.0


class Unanswered(Exception):
    """What was asked for is done, but the caller gets no answer."""


def answer(bank: Bank, request: Request) -> Response:
    require_key(bank, request)
    faults = bank.books.faults()
    time.sleep(min(float(faults.get("slow", 0)), LONGEST_SLEEP))
    if "down" in faults:
        raise Problem(503, "api_error", "The bank is down.")
    if "too_many" in faults:
        raise Problem(429, "invalid_request_error", "Too many requests.", "rate_limit")
    with bank.books.transaction():
        response = _once(bank, request)
    if "lose_answers" in faults and request.method == "POST":
        raise Unanswered
    return response


def require_key(bank: Bank, request: Request) -> None:
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {bank.key}".encode()):
        raise Problem(401, "invalid_request_error", "Invalid API Key provided.")


def _once(bank: Bank, request: Request) -> Response:
    """Under a known key the same call gets the same answer; a different call is refused."""
    key = request.headers.get("Idempotency-Key", "")
    if request.method != "POST" or not key:
        return _done(bank, request)[0]
    bank.books.forget_keys(KEPT_KEYS_SECONDS)
    if known := bank.books.find("answer", key):
        return _repeated(known, _fingerprint(request))
    response, kept = _done(bank, request)
    if kept:
        bank.books.add(
            "answer",
            id=key,
            fingerprint=_fingerprint(request),
            status=response.status,
            body=response.body.decode(),
        )
    return response


def _repeated(known: Row, fingerprint: str) -> Response:
    if known["fingerprint"] != fingerprint:
        raise Problem(
            400, "idempotency_error",
            "Keys for idempotent requests can only be used with the same parameters they were"
            " first used with.",
        )  # fmt: skip
    return Response.of_text(known["body"], known["status"], Idempotent_Replayed="true")


def _fingerprint(request: Request) -> str:
    parameters = sorted(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    return hashlib.sha256(json.dumps([request.path, parameters]).encode()).hexdigest()


def _done(bank: Bank, request: Request) -> tuple[Response, bool]:
    """The answer, and whether it is kept under its key."""
    try:
        for method, pattern, call in CALLS:
            if method == request.method and (found := pattern.fullmatch(request.path)):
                return Response.of_json(call(bank, request.parameters, *found.groups())), True
        raise invalid(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)
    except Problem as problem:
        return Response.of_problem(problem), problem.kept
