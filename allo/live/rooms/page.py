"""A room's page: rendered once by the shop, and filled for each visitor by the live process."""

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.template import Context, Engine
from django.template.loader import render_to_string

from allo.live.rooms.answers import Numbers, Seen

NOW, HEAD, STATE = b"room:now", b"<!-- room:head -->", b"<!-- room:state -->"
# Without JavaScript a page reloads itself when its turn comes, and always well before its visitor
# counts as absent. These are seconds. Pages far back in the line reload less often, so that about
# `PAGES_PER_SECOND` of them come in a second.
SOON, LATER, LATEST = 3, 15, 30
PAGES_PER_SECOND = 50
# An estimate is a range: the time at the present pace, divided and multiplied by this.
SPREAD = 1.5
# Frames contain no visitor's own numbers, so only a few are needed at a time.
FRAMES_KEPT = 128
# Surrounds the name of a number in a frame; no text contains this character.
MARK = "\0"
NAMES = ("score", "place", "estimate", "supply", "held", "waiting")

# The live process has no installed apps, whose templates Django's own loader would look for.
_engine = Engine(dirs=[str(settings.BASE_DIR / "templates")])


class Frame(NamedTuple):
    """What is the same for many visitors; the names of numbers stand for each one's own."""

    state: str
    opens_at: float
    moved_from: float | None
    has_estimate: bool
    scarce: bool
    stock: str
    words: str
    passing: bool
    onward: str
    refresh: int


def render(*, name: str, home: str, picture: str = "", shop: str = "") -> bytes:
    """For the shop: name, page and picture of what is waited for; `shop` is the origin of its
    files, if the live process has another."""
    context = {"name": name, "home": home, "picture": picture, "shop": shop}
    return render_to_string("rooms/room.html", context).encode()


def fill(page: bytes, numbers: Numbers, seen: Seen) -> bytes:
    """The page as one visitor sees it."""
    words = estimate(seen.rank, numbers.pace)
    values = {
        "now": f"{numbers.now:.3f}",
        "score": f"{seen.score:.17g}",
        "place": str(seen.rank + 1),
        "estimate": words,
        "supply": str(numbers.supply),
        "held": str(numbers.held),
        # The numbers do not count a visitor who has just arrived.
        "waiting": str(max(numbers.waiting, seen.rank + 1)),
    }
    pieces = _pieces(page, _frame(numbers, seen, bool(words)))
    return "".join([values[it] if n % 2 else it for n, it in enumerate(pieces)]).encode()


def lost(page: bytes) -> bytes:
    """While Redis is away; `page` is empty if it is not known."""
    return _without_numbers(page, "lost", SOON)


def unknown(page: bytes) -> bytes:
    """Of a room that Redis does not know: closed long ago, or lost, and not opened again yet."""
    return _without_numbers(page, "unknown", LATEST)


def _without_numbers(page: bytes, state: str, refresh: int) -> bytes:
    context = {"state": state, "refresh": refresh}
    page = page or _part("rooms/bare.html", {})
    head, words = (_part(f"rooms/{name}.html", context) for name in ("_head", "_state"))
    return page.replace(NOW, b"0").replace(HEAD, head).replace(STATE, words)


def refused() -> bytes:
    """For an address that no shop has signed."""
    state = _part("rooms/_state.html", {"state": "refused"})
    return _part("rooms/bare.html", {}).replace(HEAD, b"").replace(STATE, state)


def estimate(rank: int, pace: float) -> str:
    """In the same words as room.js; empty while there is no pace to compute it from."""
    if pace < 1 / 600:
        return ""
    minutes = (rank + 1) / pace / 60
    low, high = math.floor(minutes / SPREAD), math.ceil(minutes * SPREAD)
    if high <= 1:
        return "less than a minute"
    return f"{low} to {high} minutes" if low else f"less than {high} minutes"


def _frame(numbers: Numbers, seen: Seen, has_estimate: bool) -> Frame:
    return Frame(
        state=numbers.phase if seen.state == "waiting" else seen.state,
        opens_at=numbers.opens_at,
        moved_from=numbers.moved_from,
        has_estimate=has_estimate,
        scarce=0 < numbers.supply <= seen.rank,
        stock=_stock(numbers),
        words=numbers.words,
        passing=numbers.passing,
        onward=numbers.onward,
        refresh=_refresh(numbers, seen),
    )


# Without the cache nearly all the time of a request would go into rendering.
@lru_cache(maxsize=FRAMES_KEPT)
def _pieces(page: bytes, frame: Frame) -> list[str]:
    """The page cut at its numbers: text, the name of a number, text, and so on."""
    moved = frame.moved_from
    context = frame._asdict() | {
        "opens_at": datetime.fromtimestamp(frame.opens_at, UTC),
        "moved_from": moved and datetime.fromtimestamp(moved, UTC),
        "number": {name: f"{MARK}{name}{MARK}" for name in NAMES},
    }
    head, state = (_part(f"rooms/{name}.html", context) for name in ("_head", "_state"))
    filled = page.replace(NOW, f"{MARK}now{MARK}".encode(), 1)
    return filled.replace(HEAD, head).replace(STATE, state).decode().split(MARK)


def _stock(numbers: Numbers) -> str:
    if numbers.supply or numbers.phase == "early":
        return "left"
    return "held" if numbers.held else "sold"


def _refresh(numbers: Numbers, seen: Seen) -> int:
    if seen.state == "closed" and (numbers.passing or numbers.phase != "closed"):
        return LATEST  # it may open again, or has since the place was looked up
    if seen.state != "waiting":
        return 0
    # Spreads the reloads of a long line after the opening: those let in first reload first.
    turn = seen.rank / PAGES_PER_SECOND
    until = numbers.opens_at - numbers.now
    if until > 0:
        return max(1, min(math.ceil(until + turn), _later(turn)))
    if numbers.waiting < numbers.supply:
        return SOON
    # When its turn comes at the present pace. At a fixed time, all who were let in until then would
    # come in the same second. Right after the opening there is no pace yet.
    due = math.ceil((seen.rank + 1) / (numbers.pace or numbers.rate))
    return max(SOON, due) if due < LATEST else _later(turn)


def _later(turn: float) -> int:
    return max(LATER, min(LATEST, math.ceil(turn)))


def _part(name: str, context: dict[str, Any]) -> bytes:
    return _engine.get_template(name).render(Context(context)).encode()
