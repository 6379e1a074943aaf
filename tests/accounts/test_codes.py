"""Codes by mail, apart from what they are good for."""

from contextlib import suppress
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from allo.codes import pruning, services
from allo.codes.models import EmailCode
from allo.codes.secret import code_of, key_of, row_of
from allo.codes.services import NoCode, Purpose, TooManyCodes, WrongCode, ask, prove
from allo.codes.typed import digits_in
from allo.outbox.models import Message
from tests.accounts.signing_in import pass_minutes, wrong_code
from tests.stock import all_at_once

SIGN_IN = Purpose.SIGN_IN


def asked(
    browser: str = "b", email: str = "asha@example.org", network: str | None = None
) -> EmailCode:
    """Each browser has a network of its own, unless one is named."""
    network = browser if network is None else network
    return ask(purpose=SIGN_IN, email=email, browser=browser, network=network, kind="sign_in_code")


def typed(digits: str, browser: str = "b") -> str:
    try:
        prove(purpose=SIGN_IN, browser=browser, digits=digits)
    except (NoCode, WrongCode) as refusal:
        return type(refusal).__name__
    return "right"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("123456", "123456"), (" 123 456 ", "123456"), ("123-456", "123456"), ("123–456", "123456"),
        ("1 2 3 4 5 6", "123456"), ("123\u00a0456", "123456"), ("123\u2009456", "123456"),
        ("Your code is 123 456", "123456"), ("Your code is 123 456.", "123456"),
        ("code:123456, it works for 10 minutes", "123456"), ("123456 123 456", ""),
        ("१२३ ४५६", "123456"), ("１２３４５６", "123456"), ("000 001", "000001"),
        ("", ""), ("12345", ""), ("1234567", ""), ("123 456 789", ""), ("abc", ""),
        ("123456 or 654321", ""), ("②③④⑤⑥⑦", "234567"), ("½ 12345", ""), ("12e4", ""),
    ],
)  # fmt: skip
def test_a_code_is_found_in_what_people_type_and_paste(text, digits) -> None:
    assert digits_in(text) == digits


def test_a_code_is_of_its_row_and_its_secret_key(settings) -> None:
    row = uuid4()
    assert len(code_of(row)) == 6
    assert (code_of(row), row_of(key_of(row))) == (code_of(row), row)
    others = {code_of(uuid4()) for _ in range(50)}
    assert len(others) > 40
    before = code_of(row)
    settings.SECRET_KEY = "another" * 10
    assert code_of(row) != before
    assert row_of("") is row_of("x:y") is row_of(f"{row}") is None


@pytest.mark.django_db
def test_of_a_thousand_codes_asked_for_one_address_few_are_sent() -> None:
    refused = 0
    for n in range(1000):
        try:
            asked(f"browser {n}")
        except TooManyCodes as refusal:
            refused += 1
            assert 3000 < refusal.seconds <= 3600
    assert (refused, EmailCode.objects.count(), Message.objects.count()) == (994, 6, 6)
    # All tries at all of them.
    assert sum(code.tries for code in EmailCode.objects.all()) <= 30
    asked(email="ravi@example.org")


@pytest.mark.django_db
def test_an_hour_later_one_may_ask_again_but_not_more_than_twenty_times_a_day() -> None:
    for hour in range(4):
        for n in range(6 if hour < 3 else 2):
            asked(f"{hour} {n}")
        pass_minutes(61)
    with pytest.raises(TooManyCodes, match=r"Try again in (1196|1197) minutes\."):
        asked("one more")
    pass_minutes(20 * 60)
    asked("one more")


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "each"), [(1, 4), (4, 12)])
def test_no_network_uses_up_the_codes_of_an_address(hours, each) -> None:
    """Whatever a stranger asks for, its person gets one elsewhere."""
    sent = 0
    for hour in range(hours):
        for n in range(10):
            with suppress(TooManyCodes):
                asked(f"{hour} {n}", network="stranger")
                sent += 1
        pass_minutes(61 if hour + 1 < hours else 0)
    assert sent == each
    asked("mine", network="home")
    asked("mine", network="stranger", email="ravi@example.org")


@pytest.mark.django_db
def test_one_browser_asks_for_ten_codes_an_hour_whatever_the_addresses() -> None:
    for n in range(10):
        asked(email=f"a{n}@example.org")
    with pytest.raises(TooManyCodes):
        asked(email="b@example.org")
    asked("another", email="b@example.org")


@pytest.mark.django_db
def test_a_code_of_one_purpose_is_of_no_use_for_another() -> None:
    code = code_of(asked().pk)
    with pytest.raises(NoCode):
        prove(purpose=Purpose.ORDER, browser="b", digits=code)
    assert typed(code) == "right"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "constraint"),
    [({"tries": 6}, "code_has_five_tries"), ({"used_at": None}, "used_code_is_used")],
)
def test_the_database_refuses(change, constraint) -> None:
    typed(code_of(asked().pk))
    rows = EmailCode.objects.all()
    if "tries" in change:
        asked()
        rows = rows.filter(used_at=None)
    with pytest.raises(IntegrityError, match=constraint):
        rows.update(**change)


@pytest.mark.django_db
def test_codes_are_forgotten_once_they_count_towards_no_limit() -> None:
    asked()
    pass_minutes(24 * 60 + 1)
    asked("another")
    pruning.prune()
    assert [code.browser for code in EmailCode.objects.all()] == ["another"]


# --- at once ------------------------------------------------------------------------------------

races, at_once = pytest.mark.race, pytest.mark.django_db(transaction=True)


def outcomes_of(*attempts: str) -> list[str]:
    """Of threads that type these at the same time."""
    start = Barrier(len(attempts))

    def one(n: int) -> str:
        start.wait(60)
        return typed(attempts[n])

    return sorted(map(str, all_at_once(len(attempts), one)))


@pytest.fixture
def no_lock(monkeypatch) -> None:
    """Each reads the code as it was, and all have read it before one writes."""
    read = Barrier(2)

    def unlocked(rows: QuerySet[EmailCode], *_: object, **__: object) -> QuerySet[EmailCode]:
        found = list(rows[:1])
        read.wait(60)
        return _Found(found)  # type: ignore[return-value]

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)


class _Found(list[EmailCode]):
    def first(self) -> EmailCode | None:
        return self[0] if self else None


@races
@at_once
def test_of_two_requests_with_one_code_one_uses_it() -> None:
    code = code_of(asked().pk)
    assert outcomes_of(code, code, code, code) == ["NoCode", "NoCode", "NoCode", "right"]


@races
@at_once
def test_tries_at_once_are_all_counted() -> None:
    asked()
    wrong = wrong_code()
    assert outcomes_of(*[wrong] * 8) == ["NoCode"] * 3 + ["WrongCode"] * 5
    assert EmailCode.objects.get().tries == 5


@races
@at_once
def test_without_the_lock_two_tries_at_once_count_as_one(no_lock) -> None:
    asked()
    wrong = wrong_code()
    assert outcomes_of(wrong, wrong) == ["WrongCode", "WrongCode"]
    assert EmailCode.objects.get().tries == 1


def ask_at_once(number: int) -> list[str]:
    start = Barrier(number)

    def one(n: int) -> str:
        start.wait(60)
        try:
            asked(f"browser {n}")
        except TooManyCodes:
            return "refused"
        return "sent"

    return sorted(map(str, all_at_once(number, one)))


@races
@at_once
def test_of_many_who_ask_at_once_for_one_address_six_get_a_code() -> None:
    assert ask_at_once(10) == ["refused"] * 4 + ["sent"] * 6


@races
@at_once
def test_without_the_lock_more_would(monkeypatch) -> None:
    counted = Barrier(8)
    within = services._within_limits

    def all_count_first(*asks: str) -> None:
        within(*asks)
        counted.wait(60)

    monkeypatch.setattr(services, "_LOCK", "SELECT %s, %s, %s, %s")
    monkeypatch.setattr(services, "_within_limits", all_count_first)
    assert ask_at_once(8) == ["sent"] * 8
