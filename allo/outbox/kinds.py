"""The kinds of mail, as the apps register them."""

from collections.abc import Callable, Mapping
from typing import Any

Facts = Callable[[Any], Mapping[str, Any]]

_kinds: dict[str, Facts] = {}


class UnknownKind(Exception):
    """No app of this process registers it: it has an older version, or the name is wrong."""


def register(name: str, facts: Facts = dict) -> None:
    """Its templates are `mail/<name>/subject.txt`, `text.txt` and `page.html`. They show what
    `facts` makes of a message's context when it is sent: signed links and codes are made there.
    An address `unsubscribe` among them is also in the headers."""
    _kinds[name] = facts


def facts_of(name: str) -> Facts:
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(name) from None
