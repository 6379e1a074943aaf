"""Money on its way back: asked for once, sent once, seen wherever it was made."""

from datetime import timedelta
from uuid import uuid4

import pgtrigger
import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from allo.outbox.models import Message
from checkout import clock, due, recording
from checkout.exceptions import NotThatState, TooMuch
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import cancelling, refunding
from checkout.payments.stripe import Stripe
from checkout.unsettled import unsettled
from inventory.exceptions import AlreadyDone
from inventory.models import StockMovement
from reservations import services
from tests.checkout.orders import brought, move, opened
from tests.money.buying import SOLD, buy
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


def refunds() -> list[tuple[str, int]]:
    return list(Refund.objects.order_by("created_at").values_list("state", "amount"))


def due_now() -> None:
    Payment.objects.update(look_at="2020-01-01T00:00Z")


def test_a_refund_is_asked_for_and_sent_once(paid) -> None:
    refunding.refund(paid.order, amount=100_000, reason="A scratch")
    assert refunds() == [("asked", 100_000)]
    for _ in range(2):
        assert paid.settle() == "paid"
    assert refunds() == [("done", 100_000)]
    assert paid.moves() == [[*SOLD, ("refunded", 100_000)]]
    assert refunding.left_of(paid.order) == 285_000


def test_the_order_is_locked_first_then_the_payment_and_then_the_charge() -> None:
    order = brought(opened(hold(stocked(5))), "paid")
    with CaptureQueriesContext(connection) as queries:
        refunding.refund(order, amount=100_000, reason="A scratch")
    locking = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    tables = [sql.split('FROM "')[1].split('"')[0] for sql in locking]
    assert tables == ["checkout_order", "checkout_payment", "checkout_charge"]
    assert [sql.count("FOR NO KEY UPDATE") for sql in locking] == [1, 1, 1]


def test_more_than_was_paid_is_refused(paid) -> None:
    refunding.refund(paid.order, amount=300_000, reason="Broken")
    with pytest.raises(TooMuch) as refusal:
        refunding.refund(paid.order, amount=85_001, reason="Broken")
    assert refusal.value.left == 85_000
    assert refunds() == [("asked", 300_000)]


def test_a_refund_survives_an_outage_of_the_provider(paid) -> None:
    refunding.refund(paid.order, amount=385_000, reason="Returned")
    with paid.bank.fault(down=True):
        due_now()
        assert clock.settle_due() == 1
        assert refunds() == [("asked", 385_000)]
    due_now()
    clock.settle_due()
    assert refunds() == [("done", 385_000)]
    assert paid.moves() == [[*SOLD, ("refunded", 385_000)]]


NOTICES = {
    "by the look": lambda patch: patch.setattr(recording, "_see_refund", lambda *_: None),
    "before it is sent": lambda patch: patch.setattr(Stripe, "_all_refunds", lambda *_: []),
}


@pytest.mark.parametrize(
    "removed", [[], *([notice] for notice in NOTICES), [*NOTICES]], ids=", ".join
)
def test_a_refund_whose_answer_was_lost_is_made_once_even_if_keys_were_forgotten(
    paid, monkeypatch, removed
) -> None:
    """Either of two notices it alone; without both, the negative control, it is made twice. Half of
    the money, as the bank itself refuses more than all."""
    for notice in removed:
        NOTICES[notice](monkeypatch)
    refunding.refund(paid.order, amount=100_000, reason="Returned")
    with paid.bank.fault(lose_answers=True):
        due_now()
        clock.settle_due()
    paid.bank.control("forget-keys")
    due_now()
    clock.settle_due()
    assert refunds() == [("done", 100_000)]
    times = 2 if len(removed) == len(NOTICES) else 1
    assert paid.moves() == [[*SOLD, *[("refunded", 100_000)] * times]]


def test_a_failed_refund_can_be_refunded_again(paid) -> None:
    refunding.refund(paid.order, amount=385_000, reason="Returned")
    with paid.bank.fault(fail_next_refund=True):
        paid.settle()
    paid.settle()
    assert refunds() == [("failed", 385_000)]
    assert refunding.left_of(paid.order) == 385_000
    refunding.refund(paid.order, amount=385_000, reason="Returned")
    paid.settle()
    assert refunds() == [("failed", 385_000), ("done", 385_000)]


def test_money_that_bought_nothing_is_refunded_again_after_growing_pauses(
    bank, client, monkeypatch
) -> None:
    purchase = buy(bank, client)
    purchase.pays("upi")
    services.release(reservation_id=purchase.hold.pk)
    for state in ("dropped", "dropped"):
        assert purchase.settle() == state
        bank.control(f"refunds/{Refund.objects.get(state='done').reference}/fail")
    # The second came at once, the third has to wait.
    purchase.settle()
    assert refunds() == [("failed", 385_000)] * 2
    monkeypatch.setattr(due, "FIRST_PAUSE", 0)
    purchase.settle()
    assert refunds() == [("failed", 385_000)] * 2 + [("done", 385_000)]


@pytest.mark.parametrize(("most", "ends"), [(33, "done"), (2, "failed")])
def test_money_whose_refund_failed_long_after_it_was_made_is_still_tried_again(
    bank, client, monkeypatch, most, ends
) -> None:
    """Closed payments are no longer looked at by then. After the last try staff have to act."""
    monkeypatch.setattr(due, "MOST_REFUNDS", most)
    purchase = buy(bank, client)
    purchase.pays("upi")
    services.release(reservation_id=purchase.hold.pk)
    assert purchase.settle() == "dropped"
    with pgtrigger.ignore("checkout.Payment:closed_is_closed"):
        Payment.objects.update(closed_at=Now() - due.LOOK_BACK - timedelta(days=1))
    bank.control(f"refunds/{Refund.objects.get().reference}/fail")
    with bank.fault(fail_next_refund=True):
        purchase.settle()
    assert refunds() == [("failed", 385_000)] * 2
    monkeypatch.setattr(due, "FIRST_PAUSE", 0)
    Payment.objects.filter(look_at__isnull=False).update(look_at="2020-01-01T00:00Z")
    clock.settle_due()
    assert refunds()[-1] == (ends, 385_000)
    assert purchase.payment.look_at is None
    assert unsettled().failed == (2 if ends == "failed" else 0)


def test_a_refund_made_at_the_provider_is_recorded(paid) -> None:
    (intent,) = paid.intents()
    paid.bank.control(f"intents/{intent['id']}/refund", amount=85_000)
    assert paid.settle() == "paid"
    assert refunds() == [("done", 85_000)]
    assert Charge.objects.get().refunded_paise == 85_000
    assert Message.objects.filter(kind="refunded").count() == 1


def test_ours_fails_if_the_provider_gave_the_money_back_first(paid) -> None:
    refunding.refund(paid.order, amount=385_000, reason="Returned")
    (intent,) = paid.intents()
    paid.bank.control(f"intents/{intent['id']}/refund", amount=385_000)
    paid.settle()
    assert sorted(refunds()) == [("done", 385_000), ("failed", 385_000)]
    assert Charge.objects.get().refunded_paise == 385_000


@pytest.mark.parametrize("by", ["the shop", "the provider"])
def test_a_refund_that_is_pending_at_the_provider_is_made_once(paid, by) -> None:
    with paid.bank.fault(delay_next_refund=True):
        if by == "the shop":
            refunding.refund(paid.order, amount=85_000, reason="A scratch")
        else:
            (intent,) = paid.intents()
            paid.bank.control(f"intents/{intent['id']}/refund", amount=85_000)
        paid.settle()
    for _ in range(2):
        paid.settle()
    assert refunds() == [("asked", 85_000)]
    assert paid.moves() == [[*SOLD, ("refund pending", 85_000)]]
    paid.bank.control(f"refunds/{Refund.objects.get().reference}/finish")
    paid.settle()
    assert refunds() == [("done", 85_000)]
    assert Charge.objects.get().refunded_paise == 85_000


def test_a_pending_refund_stays_when_another_is_made_at_the_provider(paid) -> None:
    refunding.refund(paid.order, amount=200_000, reason="A scratch")
    with paid.bank.fault(delay_next_refund=True):
        paid.settle()
    refunding.refund(paid.order, amount=185_000, reason="Returned")
    (intent,) = paid.intents()
    paid.bank.control(f"intents/{intent['id']}/refund", amount=185_000)
    paid.settle()
    assert refunds() == [("asked", 200_000), ("failed", 185_000), ("done", 185_000)]
    assert Charge.objects.get().refunded_paise == 385_000


def test_a_dispute_is_seen_and_restocks_nothing(paid) -> None:
    (intent,) = paid.intents()
    paid.bank.control(f"intents/{intent['id']}/dispute")
    assert paid.settle() == "paid"
    assert Charge.objects.get().disputed_at
    assert paid.units == (4, 0)


def test_cancelling_restocks_once_and_refunds_the_rest(paid) -> None:
    refunding.refund(paid.order, amount=85_000, reason="A scratch")
    cancelling.cancel(paid.order, reason="The shopper asked for it")
    assert paid.units == (5, 0)
    assert paid.settle() == "cancelled"
    assert sorted(refunds()) == [("done", 85_000), ("done", 300_000)]
    with pytest.raises((AlreadyDone, NotThatState)):
        cancelling.cancel(paid.order, reason="Again")
    assert paid.units == (5, 0)
    assert StockMovement.objects.filter(reason="returned").count() == 1


CANCELS = {
    "the ledger": lambda patch: patch.setattr(cancelling, "uuid5", lambda *_: uuid4()),
    "the state": lambda patch: patch.setattr(
        Order, "CANCELLABLE", (*Order.CANCELLABLE, Order.State.CANCELLED)
    ),
}


@pytest.mark.parametrize(
    ("removed", "refusal"),
    [
        (["the ledger"], NotThatState),
        (["the state"], AlreadyDone),
        (["the ledger", "the state"], IntegrityError),
    ],
    ids=str,
)
def test_each_of_three_guards_alone_restocks_once(monkeypatch, removed, refusal) -> None:
    """The last is the database's, as a time is set once."""
    for guard in removed:
        CANCELS[guard](monkeypatch)
    order = brought(opened(hold(stocked(5))), "paid")
    cancel(order)
    with pytest.raises(refusal):
        cancel(order)
    assert returned() == [1]


def test_without_any_of_them_a_second_cancel_would_restock_again(monkeypatch) -> None:
    """The negative control."""
    for remove in CANCELS.values():
        remove(monkeypatch)
    order = brought(opened(hold(stocked(5))), "paid")
    with pgtrigger.ignore("checkout.Order:order_times_are_kept"):
        for _ in range(2):
            cancel(order)
    assert returned() == [1, 1]


def cancel(order: Order) -> None:
    cancelling.cancel(order, reason="Asked", of=Order.CANCELLABLE)


def returned() -> list[int]:
    found = StockMovement.objects.filter(reason=StockMovement.Reason.RETURNED)
    return list(found.values_list("delta", flat=True))


def test_a_packed_order_that_was_shipped_meanwhile_is_not_cancelled(paid) -> None:
    stale = paid.order
    for state in ("packed", "shipped"):
        move(stale, state)
    with pytest.raises(NotThatState):
        cancelling.cancel(stale, reason="Too late")
    assert paid.units == (4, 0)
    assert refunds() == []
