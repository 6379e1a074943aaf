"""What shoppers, banks and broken connections do to money, seen through the real adapter."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from checkout.payments import stripe_reader
from checkout.payments.base import (
    AuthenticationNeeded,
    Fact,
    RefundSeen,
    RefundState,
    Refused,
    Seen,
    SessionState,
    Unreachable,
)
from checkout.payments.stripe_data import session_parameters
from tests.bank import running_bank
from tests.payments.conftest import Payment, new_invitation, pay


def facts(seen: Seen) -> list[Fact]:
    return [money.fact for money in seen.money]


@pytest.mark.parametrize(("way", "fact"), [("card", Fact.AUTHORISED), ("upi", Fact.CAPTURED)])
def test_a_card_is_authorised_and_upi_captured_at_once(payment, way, fact) -> None:
    payment.pays(way)
    assert payment.look().session is SessionState.COMPLETE
    assert (payment.money.fact, payment.money.amount) == (fact, payment.total)


def test_declined_and_then_paid_on_the_same_page(payment) -> None:
    payment.pays("declined")
    assert payment.look() == Seen(session=SessionState.OPEN, money=())
    payment.pays()
    assert (payment.look().session, payment.money.fact) == (SessionState.COMPLETE, Fact.AUTHORISED)


def test_three_d_secure_is_rejected_then_approved(payment, bank) -> None:
    reference = payment.pays("authenticate")
    bank.control(f"intents/{reference}/reject")
    assert payment.look() == Seen(session=SessionState.OPEN, money=())
    assert payment.pays("authenticate") == reference
    assert payment.look() == Seen(session=SessionState.OPEN, money=())
    bank.control(f"intents/{reference}/approve")
    assert (payment.look().session, payment.money.fact) == (SessionState.COMPLETE, Fact.AUTHORISED)


def test_a_program_whose_buyer_approves_is_paid(bank, provider, invitation) -> None:
    with pytest.raises(AuthenticationNeeded) as needed:
        pay(provider, invitation, "pm_card_authenticationRequired")
    bank.control(f"intents/{needed.value.reference}/approve")
    seen = provider.look(invitation.payment_id, needed.value.reference)
    assert (seen.session, facts(seen)) == (SessionState.COMPLETE, [Fact.AUTHORISED])


def test_what_was_closed_cannot_be_paid_but_money_on_its_way_appears(payment, bank) -> None:
    payment.pays("declined")
    payment.provider.close(payment.session.reference)
    with pytest.raises(OSError, match="400"):
        payment.pays("card")
    assert payment.look() == Seen(session=SessionState.EXPIRED, money=())
    payment.pays("late")
    assert (payment.look().session, payment.money.fact) == (SessionState.EXPIRED, Fact.AUTHORISED)


def test_paid_late_the_money_appears_when_the_session_is_closed(payment) -> None:
    payment.pays("late")
    assert payment.look() == Seen(session=SessionState.OPEN, money=())
    payment.provider.close(payment.session.reference)
    assert (payment.look().session, payment.money.fact) == (SessionState.EXPIRED, Fact.AUTHORISED)


def test_what_is_complete_is_not_closed(payment) -> None:
    payment.pays()
    payment.provider.close(payment.session.reference)
    assert (payment.look().session, payment.money.fact) == (SessionState.COMPLETE, Fact.AUTHORISED)


def test_money_that_was_paid_twice_is_seen_twice(payment) -> None:
    first = payment.pays("twice")
    seen = payment.look().money
    assert [money.amount for money in seen] == [payment.total, payment.total]
    assert seen[0].reference == first != seen[1].reference
    payment.provider.void(seen[1].reference)
    assert facts(payment.look()) == [Fact.AUTHORISED, Fact.VOID]


def test_money_of_a_guest_is_seen(bank, provider, monkeypatch) -> None:
    """Stripe makes no customer for a session that does not want one."""

    def without_customer(*given):
        return session_parameters(*given) | {"customer_creation": "if_required"}

    monkeypatch.setattr("checkout.payments.stripe.session_parameters", without_customer)
    payment = Payment(bank, provider)
    payment.pays()
    assert bank.books("session", id=payment.session.reference)[0]["customer"] is None
    assert payment.money.amount == payment.total


def test_a_lapsed_authorisation_is_void_and_cannot_be_captured(payment, bank) -> None:
    reference = payment.pays()
    bank.control(f"intents/{reference}/lapse")
    assert payment.money.fact is Fact.VOID
    with pytest.raises(Refused) as refused:
        payment.provider.capture(reference, payment.total)
    assert refused.value.code == "payment_intent_unexpected_state"
    payment.provider.void(reference)


def test_a_refund_whose_key_was_forgotten_is_found_by_its_id(payment, bank) -> None:
    reference, refund_id = payment.captured(), uuid4()
    made = payment.provider.refund(reference, refund_id, 500)
    bank.control("forget-keys")
    assert payment.provider.refund(reference, refund_id, 500) == made
    assert bank.moves(reference)[2:] == [("refunded", 500)]


@pytest.mark.parametrize("when", ["at once", "afterwards"])
def test_a_failed_refund_is_reported_and_another_can_be_made(payment, bank, when) -> None:
    reference, first, second = payment.captured(), uuid4(), uuid4()
    bank.faults(fail_next_refund=when == "at once")
    made = payment.provider.refund(reference, first, payment.total)
    if when == "afterwards":
        assert made.state is RefundState.DONE
        bank.control(f"refunds/{made.reference}/fail")
    failed = payment.provider.refund(reference, first, payment.total)
    assert (failed.reference, failed.state) == (made.reference, RefundState.FAILED)
    again = payment.provider.refund(reference, second, payment.total)
    assert again.state is RefundState.DONE
    assert payment.money.refunds == (failed, again)


def test_a_refund_is_pending_until_it_is_finished(payment, bank) -> None:
    reference = payment.captured()
    bank.faults(delay_next_refund=True)
    made = payment.provider.refund(reference, uuid4(), payment.total)
    assert made.state is RefundState.ASKED
    assert payment.money.refunds == (made,)
    with pytest.raises(Refused):
        payment.provider.refund(reference, uuid4(), 1)
    bank.control(f"refunds/{made.reference}/finish")
    assert payment.money.refunds == (replace(made, state=RefundState.DONE),)


def test_a_refund_made_at_the_bank_is_seen_as_nobodys(payment, bank) -> None:
    reference = payment.captured()
    made = bank.control(f"intents/{reference}/refund", amount=700)
    assert payment.money.refunds == (
        RefundSeen(reference=made["id"], refund_id=None, amount=700, state=RefundState.DONE),
    )


@pytest.mark.parametrize("most_listed", [100, 5])
def test_more_refunds_than_a_charge_shows_are_all_seen_in_order(
    payment, monkeypatch, most_listed
) -> None:
    monkeypatch.setattr(stripe_reader, "MOST_LISTED", most_listed)
    reference, ids = payment.captured(), [uuid4() for _ in range(12)]
    for refund_id in ids:
        payment.provider.refund(reference, refund_id, 100)
    assert [one.refund_id for one in payment.money.refunds] == ids


def test_a_dispute_is_seen_with_its_time(payment, bank) -> None:
    reference = payment.captured()
    assert payment.money.disputed_at is None
    dispute = bank.control(f"intents/{reference}/dispute")
    assert payment.money.disputed_at == datetime.fromtimestamp(dispute["created"], UTC)


@pytest.mark.parametrize("way", ["card", "upi"])
def test_an_amount_or_a_currency_other_than_agreed_is_seen(payment, bank, way) -> None:
    reference = payment.pays(way)
    bank.control(f"intents/{reference}/falsify", amount=payment.total - 1, currency="USD")
    assert (payment.money.amount, payment.money.currency) == (payment.total - 1, "USD")


def test_answers_that_are_lost_do_nothing_twice(bank, provider) -> None:
    invitation, refund_id = new_invitation(), uuid4()
    with bank.fault(lose_answers=True), pytest.raises(Unreachable):
        provider.open(invitation)
    session = provider.open(invitation)
    payment_id = str(invitation.payment_id)
    opened = [row["metadata"].get("payment_id") for row in bank.books("session")]
    assert opened.count(payment_id) == 1
    reference = bank.control(f"sessions/{session.reference}/pay", way="card")["id"]
    for call in (
        lambda: provider.capture(reference, invitation.total_paise),
        lambda: provider.refund(reference, refund_id, 900),
    ):
        with bank.fault(lose_answers=True), pytest.raises(Unreachable):
            call()
        call()
    total = invitation.total_paise
    assert bank.moves(reference) == [("authorised", total), ("captured", total), ("refunded", 900)]


def test_a_killed_bank_keeps_its_books_and_its_keys() -> None:
    with running_bank() as bank:
        payment = Payment(bank, bank.provider())
        reference, refund_id = payment.captured(), uuid4()
        made = payment.provider.refund(reference, refund_id, 100)
        seen = payment.look()
        bank.kill()
        with pytest.raises(Unreachable):
            payment.look()
        bank.start()
        assert payment.look() == seen
        assert payment.provider.open(payment.invitation) == payment.session
        assert payment.provider.refund(reference, refund_id, 100) == made


def test_money_of_another_payment_is_not_seen(payment, bank, provider) -> None:
    payment.pays()
    other = UUID(int=7)
    assert provider.look(other, payment.session.reference).money == ()
