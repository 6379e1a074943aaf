"""Several reservations in one command: paid for, taken off their order and sold together."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from allo.live.message import Message
from catalog.templatetags.money import inr
from inventory.models import StockMovement
from reservations import services
from reservations.api import answers
from reservations.clock.audit import audit_stock
from reservations.engine import sql, storage
from reservations.engine import transactions as engine
from reservations.engine.also import Also
from reservations.engine.commands import Holder, Reserve
from reservations.engine.idempotency import Bag, Once, Outcome, Reply
from reservations.engine.locks import Above, Patience
from reservations.engine.transactions import _transact, perform_bag, perform_once
from reservations.exceptions import BeingPaid, ReservationError
from reservations.models import IdempotencyKey, Reservation
from reservations.staff import verbs as by_staff
from tests.bags import (
    CHARGES,
    PATIENCE,
    charges,
    drop,
    holds_of,
    notes,
    order_tables,
    orders,
    pay,
    sell,
    states,
)
from tests.checkout.test_on_delivery import command as on_delivery
from tests.reservations.test_verbs import hold
from tests.stock import pass_time, stocked, units

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def tables():
    with order_tables():
        yield


def left(held: Reservation) -> float:
    """Seconds of its life, which the test's own pace does not change."""
    held.refresh_from_db()
    return (held.expires_at - held.created_at).total_seconds()


# --- sold whole or not at all -------------------------------------------------------------------


@pytest.mark.parametrize("dead", [None, 0, 1, 2])
def test_a_bag_is_sold_whole_or_not_at_all(dead) -> None:
    holds = holds_of(3)
    if dead is not None:
        pass_time(601, pk=holds[dead].pk)
    bag = perform_bag(sell(holds))
    expected = ["confirmed" if dead is None else "pending"] * 3
    if dead is not None:
        expected[dead] = "expired"
    assert states(holds) == [held.status for held in bag.holds] == expected
    assert orders() == {1: "placed" if dead is None else "dropped"}
    assert charges() == ([(1, 1)] if dead is None else [])
    sold = StockMovement.objects.filter(reason="sold").values_list("delta", flat=True)
    assert sorted(sold) == ([-3, -2, -1] if dead is None else [])
    assert audit_stock() == []


def test_of_several_dead_holds_each_is_expired_and_nothing_is_sold() -> None:
    holds = holds_of(3)
    pass_time(601, pk__in=[held.pk for held in holds[1:]])
    perform_bag(sell(holds))
    assert states(holds) == ["pending", "expired", "expired"]
    assert audit_stock() == []


def test_another_quantity_than_its_line_has_sells_nothing() -> None:
    holds = holds_of(2)
    command = sell(holds)
    services.change(reservation_id=holds[1].pk, quantity=1)
    perform_bag(command)
    assert states(holds) == ["pending", "pending"]
    assert (orders(), charges()) == ({1: "dropped"}, [])


def test_the_same_order_twice_in_one_batch_is_decided_once() -> None:
    holds = holds_of(2)
    first, second = _transact([sell(holds), sell(holds)], Patience.NONE)
    assert isinstance(first, Bag)
    assert first == second
    assert states(holds) == ["confirmed", "confirmed"]
    assert charges() == [(1, 1)]
    assert sorted(notes()) == ["after confirmed", "before pending"], "the second writes nothing"
    assert audit_stock() == []


def test_by_rank_orders_are_locked_and_written_before_the_sales_or_after_them() -> None:
    one, two = holds_of(1, "session:a"), holds_of(1, "session:b")
    with CaptureQueriesContext(connection) as queries:
        _transact([sell(one, 1), sell(two, 2)], Patience.BRIEF)
    assert sorted(notes()) == ["after confirmed"] * 2 + ["before pending"] * 2
    sent = str(queries.captured_queries)
    assert re.findall(r"FROM (test_\w+) WHERE", sent) == ["test_order", "test_charge"]
    written = re.findall(r"(?:INTO|UPDATE) (test_\w+)|WITH (step_0)", sent)
    assert ["".join(name) for name in written] == [
        "test_note", "step_0", "test_note", "test_order", "test_charge",
    ]  # fmt: skip


@pytest.mark.parametrize("patience", Patience)
def test_what_other_apps_write_waits_only_briefly(patience) -> None:
    """A lock on a row of theirs must not stop the callers of the inventory row."""
    (held,) = holds_of(1)
    _transact([replace(on_delivery(held), also=(Also(PATIENCE, (1,)),))], patience)
    assert notes() == ["100ms"]


def test_one_bad_charge_leaves_the_rest_of_its_batch_alone(caplog) -> None:
    good, bad = holds_of(2, "session:a"), holds_of(2, "session:b")
    reserve = Reserve(rows=(good[0].inventory_id,), quantity=1, holder=Holder("session:c"))
    batch = [sell(good, 1), sell(bad, 2, amount=0), reserve]
    sold, refused, held = engine._run(batch, None)
    assert caplog.messages == [
        "3 commands are retried one by one: CheckViolation (23514)",
    ]
    assert isinstance(sold, Bag)
    assert isinstance(refused, IntegrityError)
    assert "charge_is_more_than_nothing" in str(refused)
    assert isinstance(held, Reservation)
    assert states([*good, *bad]) == ["confirmed"] * 2 + ["pending"] * 2
    assert (orders(), charges()) == ({1: "placed"}, [(1, 1)])
    assert audit_stock() == []


def test_under_a_key_a_bag_is_sold_once_and_its_reply_belongs_to_no_single_hold() -> None:
    holds = holds_of(2)

    def render(outcome: Outcome) -> Reply:
        assert isinstance(outcome, Bag)
        return Reply(303, f"/orders/{len(outcome.holds)}")

    once = Once("session:a", "pay", "k", b"1", render)
    replies = [perform_once(sell(holds), once) for _ in range(2)]
    assert [(it.body, it.replayed) for it in replies] == [("/orders/2", False), ("/orders/2", True)]
    assert IdempotencyKey.objects.get().reservation is None
    assert audit_stock() == []


@pytest.mark.parametrize("patience", Patience)
def test_an_order_without_holds_is_decided_too(patience) -> None:
    """Its lines may have gone to another order meanwhile."""
    (bag,) = _transact([drop([])], patience)
    assert bag == Bag(())


def test_many_rows_of_a_key_are_read_and_never_locked() -> None:
    with pytest.raises(ValueError, match="which of the charges were skipped"):
        Above(6, "charges", f"{CHARGES} FOR NO KEY UPDATE", (1,), many=True)


# --- the time to pay ----------------------------------------------------------------------------


def test_the_payment_window_lengthens_a_hold_once() -> None:
    (held,) = holds_of(1)
    lives = set()
    for seconds in (0, 300, 300):
        pass_time(seconds)
        held.refresh_from_db()
        perform_bag(pay([held]))
        perform_bag(drop([held]))
        lives.add(left(held))
        assert held.paying_since is None
    (life,) = lives
    # The window begins when the first order is made, however long after the hold that is here.
    assert 900 <= life < 1200
    pass_time(200)
    assert services.confirm(reservation_id=held.pk).status == "confirmed"


def test_a_window_shorter_than_the_time_left_takes_none() -> None:
    (held,) = holds_of(1)
    perform_bag(pay([held], window=timedelta(seconds=60)))
    assert left(held) == 600


def test_renewing_never_shortens_and_then_costs_no_renewal() -> None:
    (held,) = holds_of(1)
    actor = User.objects.create_user("asha", is_staff=True)
    by_staff.extend(reservation_id=held.pk, minutes=30, actor=actor, reason="Card trouble")
    services.renew(reservation_id=held.pk)
    held.refresh_from_db()
    assert (left(held), held.renewals) == (2400, 0)
    pass_time(2000)
    services.renew(reservation_id=held.pk)
    held.refresh_from_db()
    assert (left(held) > 2400, held.renewals) == (True, 1)


# --- while it is being paid for -----------------------------------------------------------------


def test_while_it_is_paid_for_its_quantity_stays_and_it_is_not_sold_alone() -> None:
    held = holds_of(2)[1]
    perform_bag(pay([held]))
    assert services.change(reservation_id=held.pk, quantity=2).quantity == 2
    for verb in (
        lambda: services.change(reservation_id=held.pk, quantity=1),
        lambda: services.change(reservation_id=held.pk, quantity=3),
        lambda: services.confirm(reservation_id=held.pk),
    ):
        with pytest.raises(BeingPaid) as refused:
            verb()
    said = answers.refused(refused.value)
    assert said.status == 409
    assert '"code":"being_paid"' in said.body
    perform_bag(drop([held]))
    assert services.change(reservation_id=held.pk, quantity=1).quantity == 1


def test_its_holder_may_let_it_go_while_it_is_paid_for() -> None:
    holds = holds_of(2)
    perform_bag(pay(holds))
    services.release(reservation_id=holds[0].pk)
    perform_bag(sell(holds))
    assert states(holds) == ["released", "pending"]
    assert orders() == {1: "dropped"}
    assert audit_stock() == []


REFUSALS = {
    "reservation_expired": lambda held: pass_time(601, pk=held.pk),
    "not_pending": lambda held: services.release(reservation_id=held.pk),
    "being_paid": lambda held: perform_bag(pay([held])),
    "quantity_changed": lambda held: services.change(reservation_id=held.pk, quantity=1),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_if_one_hold_cannot_be_paid_for_none_is_and_the_refusal_names_it(code) -> None:
    holds = holds_of(3)
    REFUSALS[code](holds[1])
    with pytest.raises(ReservationError) as refused:
        perform_bag(pay(holds))
    assert (refused.value.code, refused.value.hold) == (code, holds[1].pk)
    others = Reservation.objects.exclude(pk=holds[1].pk)
    assert set(others.values_list("paying_since", "window_given")) == {(None, False)}


def test_another_price_than_the_page_showed_is_refused_with_the_price_it_has() -> None:
    (held,) = holds_of(1)
    with pytest.raises(ReservationError) as refused:
        perform_bag(pay([held], wanted=((held.pk, 1, 300_000),)))
    assert str(refused.value) == (
        f"One costs {inr(385_000)}, not {inr(300_000)} as you saw. Check the total and try again."
    )


def test_another_order_takes_over_its_holds_or_the_old_one_keeps_them() -> None:
    one, two, three = holds = holds_of(3)
    perform_bag(pay([one, two]))
    old = tuple(held.pk for held in (one, two))
    everything = {"rows": tuple(h.inventory_id for h in holds), "instead_of": old}
    everything["reservation_ids"] = tuple(held.pk for held in holds)
    too_many = ((two.pk, 2, two.unit_paise), (three.pk, 9, three.unit_paise))
    with pytest.raises(ReservationError, match="You hold 3"):
        perform_bag(pay([two, three], wanted=too_many, **everything))
    assert paying(holds) == [True, True, False]
    perform_bag(pay([two, three], **everything))
    assert paying(holds) == [False, True, True]


def paying(holds: list[Reservation]) -> list[bool]:
    since = dict(Reservation.objects.values_list("pk", "paying_since"))
    return [since[held.pk] is not None for held in holds]


def test_a_dead_hold_that_is_taken_off_its_order_is_expired() -> None:
    holds = holds_of(2)
    perform_bag(pay(holds))
    pass_time(901, pk=holds[0].pk)
    perform_bag(drop(holds))
    assert states(holds) == ["expired", "pending"]
    assert paying(holds)[1] is False
    assert audit_stock() == []


def test_pages_that_show_a_hold_hear_that_it_is_paid_for_and_that_it_is_not(monkeypatch) -> None:
    (held,) = holds_of(1)
    published: list[Message] = []
    monkeypatch.setattr("allo.live.events.send", published.extend)
    for command in (pay([held]), drop([held])):
        published.clear()
        perform_bag(command)
        kinds = sorted(message.topic.partition(":")[0] for message in published)
        assert kinds == ["holder", "reservation"]


def test_a_bag_with_a_reservation_that_does_not_exist_is_not_decided() -> None:
    (held,) = holds_of(1)
    command = pay([held], reservation_ids=(held.pk, uuid4()), wanted=((uuid4(), 1, 1),))
    with pytest.raises(Reservation.DoesNotExist):
        perform_bag(command)


# --- one statement ------------------------------------------------------------------------------


def replaced_in_any_order(monkeypatch: pytest.MonkeyPatch) -> Reservation:
    """A holder's dead hold and its successor, with the steps of the statement the other way."""
    row = stocked(5)
    dead = hold(row, 2)
    pass_time(601)
    in_one = sql.in_one
    monkeypatch.setattr(sql, "in_one", lambda steps: in_one(steps[::-1]))
    assert hold(row, 3) != dead
    assert units(row) == (5, 3)
    dead.refresh_from_db()
    return dead


def test_lapsed_and_held_again_in_one_write_whatever_the_order_of_its_steps(monkeypatch) -> None:
    assert replaced_in_any_order(monkeypatch).status == "expired"
    assert audit_stock() == []


def test_in_one_statement_the_order_of_its_steps_would_decide(monkeypatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(storage, "_replaced", lambda books: {})
    with pytest.raises(IntegrityError, match="one_live_hold_per_holder_and_row"):
        replaced_in_any_order(monkeypatch)
