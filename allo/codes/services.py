"""Asks for codes, and compares what was typed."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from allo.codes.models import LIFE, TRIES, EmailCode
from allo.codes.secret import code_of, is_code_of, key_of, row_of
from allo.outbox import services as outbox
from allo.outbox.addresses import key_of as address_key

Purpose = EmailCode.Purpose

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The most codes for one address, for one address from one network, and for one browser. With five
# tries for each code, nobody can guess more than a hundred of a million codes a day for one
# address, from however many browsers and networks. One network alone cannot use up an address's
# codes: its owner gets some from elsewhere. Two can, such as the IPv4 and IPv6 of one line.
MOST_FOR_ADDRESS = ((6, HOUR), (20, DAY))
MOST_FROM_NETWORK = ((4, HOUR), (12, DAY))
MOST_FOR_BROWSER = ((10, HOUR),)

# A pair of numbers never equals the single number of another advisory lock.
_ADDRESS, _BROWSER = 8031, 8032
# Each of several requests at once sees the codes of those before it. Addresses are locked before
# browsers, so that no two wait for each other.
_LOCK = "SELECT pg_advisory_xact_lock(%s, hashtext(%s)), pg_advisory_xact_lock(%s, hashtext(%s))"


class TooManyCodes(Exception):
    def __init__(self, seconds: int) -> None:
        minutes = -(-seconds // 60)
        super().__init__(
            "So many codes were sent to this address, or asked for in this browser, that we send"
            " no more for now. The last one may still work. Try again in"
            f" {minutes} minute{'' if minutes == 1 else 's'}."
        )
        self.seconds = seconds


class NoCode(Exception):
    """This browser has no code that it could type: it was used, has run out, had five wrong tries,
    or was asked for in another browser."""


class WrongCode(Exception):
    def __init__(self, left: int) -> None:
        times = f"You can try {left} more time{'' if left == 1 else 's'}."
        super().__init__(
            "This is not the code that we sent last."
            f" {times if left else 'That was the last try: ask for another code.'}"
        )
        self.left = left


@transaction.atomic
def ask(
    *, purpose: Purpose, email: str, browser: str, network: str, kind: str, about: str = ""
) -> EmailCode:
    """Sends a code to a checked address, by a mail of this `kind`. Only the worker that makes the
    mail looks up whose address it is, so the answer is the same for all. Raises `TooManyCodes`."""
    key = address_key(email)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_ADDRESS, key, _BROWSER, browser])
    _within_limits(key, browser, network)
    code = EmailCode(
        id=uuid4(), purpose=purpose, browser=browser, email=email, email_key=key,
        network=network, about=about,
    )  # fmt: skip
    EmailCode.objects.bulk_create([code])
    outbox.put(key=f"{kind}:{code.pk}", kind=kind, to=email, context={"code": str(code.pk)})
    return code


def _within_limits(key: str, browser: str, network: str) -> None:
    recent = EmailCode.objects.filter(
        Q(email_key=key) | Q(browser=browser), asked_at__gt=Now() - DAY
    )
    rows = list(recent.values_list("email_key", "browser", "network", "asked_at", Now()))
    of_address = [row for row in rows if row[0] == key]
    waits = [
        *_waits(of_address, MOST_FOR_ADDRESS),
        *_waits([row for row in of_address if row[2] == network], MOST_FROM_NETWORK),
        *_waits([row for row in rows if row[1] == browser], MOST_FOR_BROWSER),
    ]
    if seconds := max(waits, default=0):
        raise TooManyCodes(seconds)


def _waits(
    rows: Iterable[tuple[str, str, str, datetime, datetime]],
    limits: Iterable[tuple[int, timedelta]],
) -> Iterable[int]:
    """Seconds until each limit that is reached allows one more. `rows` are newest first."""
    ages = [now - asked_at for *_, asked_at, now in rows]
    for most, span in limits:
        if len(ages) >= most and ages[most - 1] < span:
            yield int((span - ages[most - 1]).total_seconds()) + 1


def newest(*, purpose: Purpose, browser: str) -> EmailCode | None:
    """The code that this browser asked for last, whatever became of it."""
    return _of(purpose, browser).first()


def last(*, purpose: Purpose, browser: str) -> EmailCode | None:
    """The same, if it can still be typed."""
    code = newest(purpose=purpose, browser=browser)
    return code if code and is_live(code) else None


def is_live(code: EmailCode) -> bool:
    """Of one that was read here, with the database's time."""
    ends = code.ends_at > vars(code)["now"]
    return ends and code.used_at is None and code.tries < TRIES


def prove(*, purpose: Purpose, browser: str, digits: str) -> EmailCode:
    """Uses up the browser's last code. Raises `NoCode`, `WrongCode`."""
    with transaction.atomic():
        # Locked, so that only one of two requests uses it, and every try is counted.
        code = _of(purpose, browser).select_for_update().first()
        if code is None or not is_live(code):
            raise NoCode
        if right := is_code_of(code.pk, digits):
            _use(code)
        else:
            EmailCode.objects.filter(pk=code.pk).update(tries=code.tries + 1)
    if not right:
        raise WrongCode(TRIES - code.tries - 1)
    return code


def follow(*, purpose: Purpose, browser: str, key: str) -> EmailCode:
    """The same by the signed link of a mail. Raises `NoCode`."""
    if (pk := row_of(key)) is None:
        raise NoCode
    with transaction.atomic():
        code = _of(purpose, browser).filter(pk=pk).select_for_update().first()
        if code is None or not is_live(code):
            raise NoCode
        _use(code)
    return code


def was_proved(*, purpose: Purpose, browser: str, email: str) -> bool:
    """Whether this browser confirmed this address for this purpose within the last hour."""
    used = EmailCode.objects.filter(browser=browser, purpose=purpose, used_at__gt=Now() - HOUR)
    return bool(browser) and used.filter(email_key=address_key(email)).exists()


def facts(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """For the kinds of mail with a code: the code, its link's key, and the address; nothing if it
    ran out before the mail could be sent."""
    rows = EmailCode.objects.filter(used_at=None, ends_at__gt=Now())
    row = rows.filter(pk=UUID(context["code"])).first()
    if row is None:
        return {"row": None}
    digits = code_of(row.pk)
    shown = f"{digits[:3]} {digits[3:]}"
    minutes = int(LIFE.total_seconds()) // 60
    return {"row": row, "code": shown, "key": key_of(row.pk), "minutes": minutes}


def _of(purpose: Purpose, browser: str) -> QuerySet[EmailCode]:
    """Newest first, with the database's time."""
    mine = EmailCode.objects.filter(purpose=purpose, browser=browser)
    return mine.annotate(now=Now()).order_by("-asked_at")


def _use(code: EmailCode) -> None:
    EmailCode.objects.filter(pk=code.pk).update(used_at=Now())
