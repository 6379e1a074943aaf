"""Holes: the personal places of a shared page. All visitors without a session see the same in a
hole; for a visitor with one it is filled anew.

In a shared page the edges of holes are marked with a random name of this process, which no text of
the shop can contain. Other pages have no marks.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from allo.web.shared.keys import SHARED

# Renders a hole for a request; the text says what the hole is about, such as a primary key.
Fill = Callable[[HttpRequest, str], str]

_name = secrets.token_hex(16)
_EDGES = re.compile(
    rf"<!--{_name} ([a-z-]+) ([\w-]*)-->(.*?)<!--/{_name}-->".encode(), flags=re.DOTALL
)
_fills: dict[str, Fill] = {}


@dataclass(frozen=True, slots=True)
class Hole:
    name: str
    about: str
    unknown: bytes  # what a visitor without a session sees


Parts = tuple[bytes | Hole, ...]


def hole(request: HttpRequest, name: str, about: str, fill: Fill, inside: str) -> str:
    """For template tags: the text `inside`, with edges if the page is shared; `fill` renders it for
    other requests."""
    if SHARED not in request.META:
        return inside
    _fills[name] = fill
    return f"<!--{_name} {name} {about}-->{inside}<!--/{_name}-->"


def split(body: bytes) -> Parts:
    parts: list[bytes | Hole] = []
    end = 0
    for match in _EDGES.finditer(body):
        parts += [body[end : match.start()], Hole(match[1].decode(), match[2].decode(), match[3])]
        end = match.end()
    return (*parts, body[end:])


def unknown(parts: Parts) -> bytes:
    """The page as a visitor without a session sees it."""
    return b"".join(part.unknown if isinstance(part, Hole) else part for part in parts)


def filled(parts: Parts, request: HttpRequest) -> bytes:
    return b"".join(
        _fills[part.name](request, part.about).encode() if isinstance(part, Hole) else part
        for part in parts
    )
