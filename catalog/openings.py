"""Openings: the moment from which a product can be reserved, in words and as a calendar entry."""

from datetime import UTC, datetime, timedelta

from django.utils.timezone import localtime

from catalog.models import Product

MEDIA_TYPE = "text/calendar; charset=utf-8"
LASTS = timedelta(minutes=15)
# RFC 5545: the most octets in a line, without its end.
LONGEST = 75


def in_words(moment: datetime) -> str:
    """Such as "Thursday 3 December 2026 at 18:00 IST", in the shop's zone."""
    there = localtime(moment)
    seconds = ":%S" if there.second else ""
    return f"{there:%A %-d %B %Y} at {there.strftime(f'%H:%M{seconds} %Z')}"


def calendar(product: Product, opens_at: datetime, address: str) -> str:
    """The opening as an iCalendar file (RFC 5545). Its UID stays; of two entries with it a calendar
    keeps the one that was set later. `address` is the product's page."""
    set_at = product.opening_set_at
    name = _escaped(product.name)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Allo//Openings//EN",
        "BEGIN:VEVENT",
        f"UID:opening-{product.pk}-{product.created_at.astimezone(UTC):%Y%m%dT%H%M%S%f}@allo",
        f"DTSTAMP:{_instant(set_at)}",
        f"SEQUENCE:{int((set_at - product.created_at).total_seconds())}",
        f"DTSTART:{_instant(opens_at)}",
        f"DTEND:{_instant(opens_at + LASTS)}",
        f"SUMMARY:{name} opens at Allo",
        f"DESCRIPTION:{_escaped(product.tagline)}",
        f"URL:{address}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT10M",
        f"DESCRIPTION:{name} opens in 10 minutes",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text.replace("\r", "")


def _folded(line: str) -> str:
    """Lines are never folded within a character, though the limit counts octets."""
    parts, room = [""], LONGEST
    for character in line:
        if len((parts[-1] + character).encode()) > room:
            parts.append("")
            room = LONGEST - len(" ")
        parts[-1] += character
    return "\r\n ".join(parts)
