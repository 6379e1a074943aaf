"""What a visitor of a room gets: a place in the line, later a ticket. Both are signed with the
visitor's name, so nobody else can use them."""

from typing import NamedTuple, TypeVar

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

SALT = "allo.live.rooms"
NAME_DIGITS = 22
LOT_DIGITS = 12


class Place(NamedTuple):
    """The lowest score is let in first. It is random and below a million for those who join before
    the opening; for later ones it is the second of their arrival."""

    room: int
    visitor: str
    score: float
    # Of which drawing it is; "" for the first one.
    draw: str = ""


class Ticket(NamedTuple):
    room: int
    visitor: str
    # Of the place that was let in.
    score: float
    # In seconds since the epoch, by Redis's clock.
    ends: int


P = TypeVar("P", Place, Ticket)


def name_in(room: int, holder: str) -> str:
    """The name of a holder as a visitor of this room: always the same, so one holder has one place.
    It differs from room to room, and does not reveal the holder."""
    return _digest("visitor", room, holder)[:NAME_DIGITS]


def lot_of(room: int, visitor: str) -> float:
    """At least 0, below 1; the same each time, and nobody can compute it without the shop's key."""
    return float(int(_digest("lot", room, visitor)[:LOT_DIGITS], 16) / 16**LOT_DIGITS)


def sign_place(place: Place) -> str:
    # A place of the first drawing is as the version before signed it, and can read it.
    return _signer("place").sign("~".join(map(str, place if place.draw else place[:3])))


def sign_ticket(ticket: Ticket) -> str:
    return _signer("ticket").sign("~".join(map(str, ticket)))


def read_place(signed: str, *, room: int, visitor: str | None = None) -> Place:
    """Raises `BadSignature`, also for a place in another room or of another visitor."""
    number, name, score, *draw = _read("place", signed, 3, 4)
    return _expected(Place(int(number), name, float(score), *draw), room, visitor)


def read_ticket(signed: str, *, room: int, visitor: str) -> Ticket:
    """Raises `BadSignature` as `read_place` does. `store.check` tells whether it is still valid."""
    number, name, score, ends = _read("ticket", signed, 4)
    return _expected(Ticket(int(number), name, float(score), int(ends)), room, visitor)


def _digest(kind: str, room: int, name: str) -> str:
    return salted_hmac(f"{SALT}.{kind}", f"{room} {name}", algorithm="sha256").hexdigest()


def _read(kind: str, signed: str, *lengths: int) -> list[str]:
    parts = _signer(kind).unsign(signed).split("~")
    if len(parts) not in lengths:  # signed by another version
        raise BadSignature(f"not a {kind}")
    return parts


def _expected(found: P, room: int, visitor: str | None) -> P:
    if found.room != room or visitor not in {None, found.visitor}:
        raise BadSignature("of another room or visitor")
    return found


def _signer(kind: str) -> Signer:
    return Signer(salt=f"{SALT}.{kind}")
