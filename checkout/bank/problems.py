"""Refusals, as Stripe words them in its answers."""

from typing import Any


class Problem(Exception):
    """`kept`: whether a repetition under the same key gets the same answer."""

    def __init__(
        self, status: int, type: str, message: str, code: str = "", *, kept: bool = True,  # noqa: A002
        **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.kept = kept
        error = {"type": type, "message": message, "code": code or None, **more}
        self.body = {"error": {name: value for name, value in error.items() if value is not None}}


def missing(what: str, key: str) -> Problem:
    return invalid(f"No such {what}: '{key}'", "resource_missing", status=404)


def invalid(message: str, code: str = "", *, status: int = 400) -> Problem:
    return Problem(status, "invalid_request_error", message, code)


def bad_parameter(message: str, param: str) -> Problem:
    return Problem(
        400, "invalid_request_error", message, "parameter_invalid", kept=False, param=param
    )


def wrong_state(message: str) -> Problem:
    return invalid(message, "payment_intent_unexpected_state")


def declined(intent: str, code: str) -> Problem:
    return Problem(
        402, "card_error", "Your card was declined.", code, payment_intent={"id": intent}
    )
