"""Signing in, against everything that happens to a hold at that moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.engine import locks as engine_locks
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.exceptions import (
    AlreadyHeld,
    Busy,
    NotPending,
    ReservationError,
    ReservationExpired,
)
from reservations.models import AdoptedHolder, Reservation
from tests.bags import drop, order_tables, pay, sell
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.server import somebody_waits
from tests.stock import all_at_once, pass_time, stocked, without_the_lock

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]

ROUNDS = 25
ACCOUNT = "user:7"


@pytest.fixture(autouse=True)
def tables():
    with order_tables():
        yield


def adopt(visitor: str = "visitor:a", account: str = ACCOUNT) -> list[Reservation]:
    return services.adopt(account=account, visitor=visitor)


# --- by chance ----------------------------------------------------------------------------------


def its_account(held: Reservation) -> str:
    return held.holder.replace("visitor", "user")


def by(command: Callable) -> Callable[[Reservation], object]:
    return lambda held: _transact([command([held])], Patience.BRIEF)


MEANWHILE: dict[str, Callable[[Reservation], object]] = {
    "confirm": lambda held: services.confirm(reservation_id=held.pk),
    "release": lambda held: services.release(reservation_id=held.pk),
    "renew": lambda held: services.renew(reservation_id=held.pk),
    "change": lambda held: services.change(reservation_id=held.pk, quantity=2),
    "expiry": lambda _: expire_due(),
    "order": by(pay),
    "sell": by(lambda holds: sell(holds, 1)),
    "drop": by(drop),
    "reserve": lambda held: hold(held.inventory, 1, held.holder),
    "reserve by the account": lambda held: hold(held.inventory, 3, its_account(held)),
    "second sign-in": lambda held: adopt(held.holder, "user:other"),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_what_happens_to_a_hold_at_sign_in_leaves_the_books_balanced(meanwhile) -> None:
    row = stocked(500)
    held = [hold(row, 1, f"visitor:{n}") for n in range(ROUNDS)]
    if meanwhile == "expiry":
        # Some of them become due while the sweeps run.
        pass_time(599.8, pk__in=[each.pk for each in held[::2]])
    act = MEANWHILE[meanwhile]

    def race(caller: int) -> list[Any]:
        return [outcome(caller, each) for each in held]

    def outcome(caller: int, each: Reservation) -> Any:
        try:
            return act(each) if caller else adopt(each.holder, its_account(each))
        except (ReservationExpired, NotPending, AlreadyHeld, Busy) as refusal:
            return refusal

    adopted, done = all_at_once(2, race)
    assert isinstance(adopted, list), adopted
    assert isinstance(done, list), done
    assert Busy not in map(type, adopted)
    # A change whose holder is another now, and not locked, is to be tried again.
    assert Busy not in map(type, done) or meanwhile == "change"
    got = {each.pk for found in adopted for each in found}
    now = Reservation.objects.in_bulk([each.pk for each in held])
    for each in held:
        # In one batch it may be adopted and end: what has ended keeps its holder.
        is_moved = now[each.pk].holder == its_account(each) or not now[each.pk].is_pending
        assert is_moved or each.pk not in got
    left = [each for each in now.values() if each.pk not in got and each.is_pending]
    # Another account has them, or the account held the row already.
    assert not left or meanwhile in ("second sign-in", "reserve by the account")
    assert AdoptedHolder.objects.count() == ROUNDS
    assert audit_stock() == []


# --- step by step, and what each lock is for ----------------------------------------------------


def while_it_waits(act: Callable[[], object]) -> object:
    """What comes of an adoption that begins when `act` has happened, and before its commit."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            act()
            late = pool.submit(all_at_once, 1, lambda _: adopt())
            wait_for(lambda: somebody_waits() or late.done(), every=0.01)
        (outcome,) = late.result()
    return outcome


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows, reservations and names."""
    without_the_lock(monkeypatch)
    unlocked = lambda ids, **_: Reservation.objects.filter(pk__in=ids).order_by("pk")  # noqa: E731
    monkeypatch.setattr(engine_locks, "locking_reservations", unlocked)
    monkeypatch.setattr(engine_locks, "_advisory", lambda _: None)


def test_a_hold_that_is_sold_meanwhile_stays_as_it_ended() -> None:
    held = hold(stocked(5), 1, "visitor:a")
    assert while_it_waits(lambda: services.confirm(reservation_id=held.pk)) == []
    held.refresh_from_db()
    assert (held.status, held.holder) == ("confirmed", "visitor:a")


def test_without_locks_what_was_sold_would_be_adopted_and_the_database_refuses(monkeypatch) -> None:
    """The control of the test above."""
    held = hold(stocked(5), 1, "visitor:a")
    without_locks(monkeypatch)
    outcome = while_it_waits(lambda: services.confirm(reservation_id=held.pk))
    assert isinstance(outcome, IntegrityError)
    assert "final_is_final" in str(outcome)


def test_a_hold_that_the_visitor_makes_meanwhile_is_adopted_too() -> None:
    row = stocked(5)
    adopted = while_it_waits(lambda: hold(row, 1, "visitor:a"))
    assert adopted == [Reservation.objects.get(holder=ACCOUNT)]


def test_without_the_lock_of_its_name_it_would_be_left(monkeypatch) -> None:
    """The control of the test above."""
    row = stocked(5)
    monkeypatch.setattr(engine_locks, "_advisory", lambda _: None)
    assert while_it_waits(lambda: hold(row, 1, "visitor:a")) == []
    assert Reservation.objects.get().holder == "visitor:a"


def test_a_hold_of_the_row_that_the_account_makes_meanwhile_leaves_both() -> None:
    row = stocked(5)
    held = hold(row, 1, "visitor:a")
    assert while_it_waits(lambda: hold(row, 2, ACCOUNT)) == []
    held.refresh_from_db()
    assert held.holder == "visitor:a"


def test_without_locks_the_account_would_hold_the_row_twice_and_the_database_refuses(
    monkeypatch,
) -> None:
    """The control of the test above."""
    row = stocked(5)
    hold(row, 1, "visitor:a")
    without_locks(monkeypatch)
    outcome = while_it_waits(lambda: hold(row, 2, ACCOUNT))
    assert isinstance(outcome, IntegrityError)
    assert "one_live_hold_per_holder_and_row" in str(outcome)


def test_many_accounts_sign_in_with_the_same_visitor_and_one_gets_all() -> None:
    held = [hold(stocked(9, warehouse=f"w-{n}"), 1, "visitor:a") for n in range(4)]
    outcomes = all_at_once(8, lambda n: adopt(account=f"user:{n}"))
    assert not [each for each in outcomes if isinstance(each, ReservationError)], outcomes
    assert sorted(map(len, outcomes)) == [0] * 7 + [4]  # type: ignore[arg-type]
    (account,) = {each.holder for each in Reservation.objects.all()}
    assert account == AdoptedHolder.objects.get().account
    assert len(held) == Reservation.objects.filter(holder=account).count()
    assert audit_stock() == []
