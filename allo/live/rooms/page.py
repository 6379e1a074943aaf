"""A room's page: rendered once by the shop, and filled for each visitor by the live process."""

import math
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.template import Context, Engine
from django.template.loader import render_to_string

from allo.live.rooms.answers import Numbers, Seen

NOW, HEAD, STATE = b"room:now", b"<!-- room:head -->", b"<!-- room:state -->"
# Without a script a page comes again after so many seconds: soon when its turn is near, and in any
# case before its visitor counts as absent.
SOON, LATER = 3, 15
# How far from the present pace an estimate reaches, up and down.
SPREAD = 1.5

# The live process has no installed apps, whose templates Django's own loader would look for.
_engine = Engine(dirs=[str(settings.BASE_DIR / "templates")])


def render(*, name: str, home: str, picture: str = "", shop: str = "") -> bytes:
    """For the shop: name, page and picture of what is waited for; `shop` is the origin of its
    files, if the live process has another."""
    context = {"name": name, "home": home, "picture": picture, "shop": shop}
    return render_to_string("rooms/room.html", context).encode()


def fill(page: bytes, numbers: Numbers, seen: Seen) -> bytes:
    """The page as one visitor sees it."""
    context = _context(numbers, seen)
    return (
        page.replace(NOW, f"{numbers.now:.3f}".encode())
        .replace(HEAD, _part("rooms/_head.html", context))
        .replace(STATE, _part("rooms/_state.html", context))
    )


def lost(page: bytes) -> bytes:
    """While Redis is away or has lost the room; `page` is empty if it is not known."""
    context = {"state": "lost", "refresh": SOON}
    page = page or _part("rooms/bare.html", {})
    head, state = (_part(f"rooms/{name}.html", context) for name in ("_head", "_state"))
    return page.replace(NOW, b"0").replace(HEAD, head).replace(STATE, state)


def refused() -> bytes:
    """For an address that no shop has signed."""
    state = _part("rooms/_state.html", {"state": "refused"})
    return _part("rooms/bare.html", {}).replace(HEAD, b"").replace(STATE, state)


def estimate(rank: int, pace: float) -> str:
    """In words that room.js uses too; empty if nobody can tell."""
    if pace < 1 / 600:
        return ""
    minutes = (rank + 1) / pace / 60
    low, high = math.floor(minutes / SPREAD), math.ceil(minutes * SPREAD)
    if high <= 1:
        return "less than a minute"
    return f"{low} to {high} minutes" if low else f"less than {high} minutes"


def _context(numbers: Numbers, seen: Seen) -> dict[str, Any]:
    opens_at = datetime.fromtimestamp(numbers.opens_at, UTC)
    moved = numbers.moved_from
    return {
        "state": numbers.phase if seen.state == "waiting" else seen.state,
        "numbers": numbers,
        "seen": seen,
        "place": seen.rank + 1,
        # A visitor who has just come is not in the numbers yet.
        "waiting": max(numbers.waiting, seen.rank + 1),
        "opens_at": opens_at,
        "moved_from": moved and datetime.fromtimestamp(moved, UTC),
        "estimate": estimate(seen.rank, numbers.pace),
        "scarce": 0 < numbers.supply <= seen.rank,
        "stock": _stock(numbers),
        "refresh": _refresh(numbers, seen),
    }


def _stock(numbers: Numbers) -> str:
    if numbers.supply or numbers.phase == "early":
        return "left"
    return "held" if numbers.held else "sold"


def _refresh(numbers: Numbers, seen: Seen) -> int:
    if seen.state != "waiting":
        return 0
    until = numbers.opens_at - numbers.now
    if until > 0:
        return max(1, min(LATER, math.ceil(until)))
    return SOON if seen.rank < SOON * numbers.pace or numbers.waiting < numbers.supply else LATER


def _part(name: str, context: dict[str, Any]) -> bytes:
    return _engine.get_template(name).render(Context(context)).encode()
