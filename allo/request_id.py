"""The id of a request, by which its answer, its lines in the logs and its reported error are found
together."""

import re
import secrets
from contextvars import ContextVar

# As proxies make them: nginx 32 hexadecimal digits, others a UUID.
WELL_FORMED = re.compile(r"[0-9A-Za-z_-]{16,64}")
NONE = "-"

_current: ContextVar[str] = ContextVar("request_id", default=NONE)


def begin(given: str = "") -> str:
    """The id from now on: the one `given` by a trusted proxy if it is well-formed, else a new
    one."""
    made = given if WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
    _current.set(made)
    return made


def current() -> str:
    """`NONE` outside of a request."""
    return _current.get()
